//! What a client's file becomes with an entry, and without it again.

use serde_json::Value;

use super::clients::{Client, KEY_INPUT, KEY_VARIABLE, KeySupply, Server};
use super::edit::{Problem, at};

/// The list of questions in VS Code's file.
const INPUTS: &[&str] = &["inputs"];
/// Members of an entry that decide how the server runs. Others belong to the user, such as "disabled" and "timeout".
const PROGRAM: &[&str] = &["type", "command", "cmd", "args"];
/// Members of an entry that set variables.
const VARIABLES: &[&str] = &["env", "environment", "envs"];
/// Members of an entry for a server elsewhere, which a program in the same entry contradicts.
const ADDRESSES: &[&str] = &["url", "serverUrl", "httpUrl"];

/// The text with the entry. Members of an entry of the same name stay unless they say how the server runs.
pub(super) fn added(client: &Client, text: &str, server: &Server) -> Result<String, Problem> {
    let format = client.format;
    let root = format.value(text)?;
    let servers = servers(client, &root);
    let path: Vec<&str> = servers.iter().copied().chain([server.name.as_str()]).collect();
    let entry = client.entry(server);
    let text = match at(&root, &path).filter(|existing| existing.is_object()) {
        None => format.set(text, &path, &Value::Object(entry))?,
        Some(existing) => updated(client, text, &path, existing, server)?,
    };
    with_input(client, text, server.has_client_key)
}

fn updated(
    client: &Client,
    text: &str,
    path: &[&str],
    existing: &Value,
    server: &Server,
) -> Result<String, Problem> {
    let format = client.format;
    let mut text = text.to_owned();
    for (name, value) in &client.entry(server) {
        let old = existing.get(name);
        let mut member = [path, &[name]].concat();
        if let Some(wanted) = value.get(KEY_VARIABLE).filter(|_| old.is_some_and(Value::is_object))
        {
            member.push(KEY_VARIABLE);
            if at(existing, &[name, KEY_VARIABLE]) != Some(wanted) {
                text = format.set(&text, &member, wanted)?;
            }
            continue;
        }
        let value = match (old, client.key) {
            (Some(Value::Array(names)), KeySupply::Names(list)) if list == name => {
                let key = Value::from(KEY_VARIABLE);
                let is_listed = names.contains(&key);
                Value::Array(names.iter().cloned().chain((!is_listed).then_some(key)).collect())
            }
            _ => value.clone(),
        };
        let is_ours = PROGRAM.contains(&name.as_str()) || client.key_names(name);
        if old.is_none() || is_ours && old != Some(&value) {
            text = format.set(&text, &member, &value)?;
        }
    }
    for address in ADDRESSES.iter().filter(|address| existing.get(**address).is_some()) {
        text = format.remove(&text, &[path, &[*address]].concat())?;
    }
    if !server.has_client_key {
        text = without_reference(client, text, path, existing)?;
    }
    Ok(text)
}

/// Removes the reference to the client's key, which a profile or the sandbox replaces.
fn without_reference(
    client: &Client,
    text: String,
    path: &[&str],
    existing: &Value,
) -> Result<String, Problem> {
    let Some((name, ours)) = client.key_member() else { return Ok(text) };
    let Some(old) = existing.get(name) else { return Ok(text) };
    let member = [path, &[name]].concat();
    if *old == ours {
        return client.format.remove(&text, &member);
    }
    match (old, ours.get(KEY_VARIABLE)) {
        (Value::Array(names), None) => {
            let others = names.iter().filter(|name| *name != KEY_VARIABLE).cloned().collect();
            if others == *old { Ok(text) } else { client.format.set(&text, &member, &others) }
        }
        (_, Some(reference)) if old.get(KEY_VARIABLE) == Some(reference) => {
            client.format.remove(&text, &[&member[..], &[KEY_VARIABLE]].concat())
        }
        _ => Ok(text),
    }
}

/// The text without the entry and its question. The objects around it stay.
pub(super) fn removed(client: &Client, text: &str, name: &str) -> Result<String, Problem> {
    let root = client.format.value(text)?;
    let servers = servers(client, &root);
    let path: Vec<&str> = servers.iter().copied().chain([name]).collect();
    let text = client.format.remove(text, &path)?;
    with_input(client, text, false)
}

/// The text from before the entry, if adding the entry to it gives the text of now: then nothing else has changed since.
pub(super) fn is_before(client: &Client, before: &str, now: &str, name: &str) -> bool {
    let added_again = || {
        let format = client.format;
        let entry = entry(client, now, name).ok()??;
        let root = format.value(before).ok()?;
        let servers = servers(client, &root);
        let path: Vec<&str> = servers.iter().copied().chain([name]).collect();
        if at(&root, &path).is_some() {
            return None;
        }
        let has_client_key = entry.to_string().contains(&input_reference());
        let text = format.set(before, &path, &entry).ok()?;
        with_input(client, text, has_client_key).ok()
    };
    added_again().is_some_and(|text| text == now)
}

/// The entry of a name.
pub(super) fn entry(client: &Client, text: &str, name: &str) -> Result<Option<Value>, Problem> {
    Ok(entries(client, text)?.into_iter().find(|(known, _)| known == name).map(|(_, entry)| entry))
}

/// All entries of a file.
pub(super) fn entries(client: &Client, text: &str) -> Result<Vec<(String, Value)>, Problem> {
    let root = client.format.value(text)?;
    let servers = at(&root, servers(client, &root)).and_then(Value::as_object);
    let servers = servers.into_iter().flatten();
    Ok(servers.map(|(name, entry)| (name.clone(), entry.clone())).collect())
}

/// The program that an entry starts, and its arguments.
pub(super) fn program(entry: &Value) -> Option<(String, Vec<String>)> {
    let words = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let command = entry.get("command").or_else(|| entry.get("cmd"))?;
    if let Some(command) = command.as_str() {
        return Some((command.to_owned(), words(entry.get("args"))));
    }
    let mut words = words(Some(command)).into_iter();
    Some((words.next()?, words.collect()))
}

/// The profile among the arguments of this program.
pub(super) fn profile(arguments: &[String]) -> Option<&str> {
    let mut arguments = arguments.iter();
    let mut found = None;
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--profile") {
            Some("") => found = arguments.next().map(String::as_str),
            Some(rest) => found = rest.strip_prefix('=').or(found),
            None => {}
        }
    }
    found
}

/// The variables that an entry sets, as far as their values are text.
pub(super) fn variables(entry: &Value) -> Vec<(String, String)> {
    let members = VARIABLES.iter().filter_map(|name| entry.get(*name)?.as_object()).flatten();
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    members.filter_map(text).collect()
}

/// Whether an entry starts this program, wherever it is.
pub(super) fn is_ours(entry: &Value) -> bool {
    program(entry).is_some_and(|(command, _)| {
        let file = command.rsplit(['/', '\\']).next().unwrap_or_default();
        file.strip_suffix(".exe").unwrap_or(file) == "polytomic-mcp"
    })
}

/// Whether an entry refers to the client's key.
pub(super) fn has_client_key(client: &Client, entry: &Value) -> bool {
    client.key_member().is_some_and(|(name, ours)| match (entry.get(name), &ours) {
        (Some(Value::Array(names)), Value::Array(_)) => {
            names.iter().any(|name| name == KEY_VARIABLE)
        }
        (Some(old), ours) => {
            old.get(KEY_VARIABLE).is_some() && old.get(KEY_VARIABLE) == ours.get(KEY_VARIABLE)
        }
        (None, _) => false,
    })
}

/// Whether an entry contains a key as text.
pub(super) fn has_literal_key(client: &Client, entry: &Value) -> bool {
    let ours = client.key_member().and_then(|(_, value)| value.get(KEY_VARIABLE).cloned());
    VARIABLES.iter().any(|name| {
        at(entry, &[name, KEY_VARIABLE]).is_some_and(|key| {
            let is_reference = key.as_str().is_none_or(|key| key.starts_with(['$', '{']));
            Some(key) != ours.as_ref() && !is_reference
        })
    })
}

fn servers(client: &Client, root: &Value) -> &'static [&'static str] {
    let is_list_of_servers = |path: &&'static [&'static str]| {
        let found = at(root, path).and_then(Value::as_object);
        found.is_some_and(|servers| servers.values().all(Value::is_object))
    };
    client.other_servers.filter(is_list_of_servers).unwrap_or(client.servers)
}

fn input_reference() -> String {
    format!("${{input:{KEY_INPUT}}}")
}

/// Adds the question for the key where an entry refers to it, and removes it where none does.
fn with_input(client: &Client, text: String, is_wanted: bool) -> Result<String, Problem> {
    let Some(input) = client.key_input() else { return Ok(text) };
    let format = client.format;
    let root = format.value(&text)?;
    let inputs = at(&root, INPUTS).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let index = inputs.iter().position(|input| input.get("id") == Some(&KEY_INPUT.into()));
    match index {
        None if is_wanted => format.push(&text, INPUTS, &input),
        Some(index) if !is_wanted && !text.contains(&input_reference()) => {
            format.remove_element(&text, INPUTS, index)
        }
        _ => Ok(text),
    }
}

impl Client {
    /// Whether a member of an entry is the list of variables to pass on.
    fn key_names(&self, member: &str) -> bool {
        matches!(self.key, KeySupply::Names(name) if name == member)
    }
}
