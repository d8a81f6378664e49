//! What lenient reading changed in the responses to a call, for the notice beside its result.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Places of one kind that are named; further ones are only counted.
pub(super) const MAX_PLACES: usize = 3;

/// One kind of defect in a response, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    /// A character that JSON text cannot have became U+FFFD.
    Character,
    /// A line break or tab that was not escaped; it is kept.
    LineBreak,
    /// NaN or an infinity became a string.
    NotANumber,
    /// A number beyond the range of doubles, which clients get as a string; the API gets it back as a number.
    LargeNumber,
    /// A property or item of another type than documented was left out.
    WrongType,
    /// A name came twice in an object, of which the last value was kept.
    RepeatedName,
}

impl Repair {
    const ALL: [Self; 6] = [
        Self::Character,
        Self::LineBreak,
        Self::NotANumber,
        Self::LargeNumber,
        Self::WrongType,
        Self::RepeatedName,
    ];

    /// What happened, once and several times.
    fn phrases(self) -> [&'static str; 2] {
        match self {
            Self::Character => {
                ["invalid character became U+FFFD", "invalid characters became U+FFFD"]
            }
            Self::LineBreak => {
                ["unescaped line break or tab was kept", "unescaped line breaks or tabs were kept"]
            }
            Self::NotANumber => {
                ["NaN or infinity became a string", "NaN or infinities became strings"]
            }
            Self::LargeNumber => [
                "number beyond the range of doubles became a string",
                "numbers beyond the range of doubles became strings",
            ],
            Self::WrongType => [
                "value of an undocumented type was left out",
                "values of undocumented types were left out",
            ],
            Self::RepeatedName => [
                "name that came twice kept its last value",
                "names that came twice kept their last values",
            ],
        }
    }

    /// Whether the value is no longer the one that the API has.
    fn is_lossy(self) -> bool {
        matches!(self, Self::Character | Self::NotANumber | Self::WrongType | Self::RepeatedName)
    }
}

/// What was changed in one or more responses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Repairs([Places; Repair::ALL.len()]);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Places {
    /// How many repairs.
    count: usize,
    /// In how many values.
    values: usize,
    /// The position of the last value.
    last: Option<usize>,
    /// The paths of the first values.
    paths: Vec<String>,
}

impl Repairs {
    /// Counts a repair of the value at a position; `path` is called if its place will be named.
    pub(super) fn add(&mut self, repair: Repair, position: usize, path: impl FnOnce() -> String) {
        let index = Repair::ALL.iter().position(|r| *r == repair);
        let Some(places) = index.and_then(|index| self.0.get_mut(index)) else { return };
        places.count += 1;
        if places.last.replace(position) == Some(position) {
            return;
        }
        places.values += 1;
        if places.paths.len() < MAX_PLACES {
            places.paths.push(path());
        }
    }

    fn all(&self) -> impl Iterator<Item = (Repair, &Places)> {
        Repair::ALL.into_iter().zip(&self.0).filter(|(_, places)| places.count > 0)
    }

    /// Whether any value is no longer the one that the API has.
    pub(super) fn is_lossy(&self) -> bool {
        self.all().any(|(repair, _)| repair.is_lossy())
    }

    /// The places of the values that are no longer those of the API; none if not all are known.
    fn lossy_places(&self) -> Option<Vec<String>> {
        let mut places = Vec::new();
        for (_, lossy) in self.all().filter(|(repair, _)| repair.is_lossy()) {
            if lossy.values > lossy.paths.len() {
                return None;
            }
            places.extend(lossy.paths.iter().cloned());
        }
        Some(places)
    }

    /// Whether characters are all that was lost.
    fn only_lost_characters(&self) -> bool {
        self.all().all(|(repair, _)| !repair.is_lossy() || repair == Repair::Character)
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (places, new) in self.0.iter_mut().zip(other.0) {
            places.count += new.count;
            places.values += new.values;
            let free = MAX_PLACES.saturating_sub(places.paths.len());
            places.paths.extend(new.paths.into_iter().take(free));
        }
    }

    /// The notice, with or without places; none if nothing was changed.
    fn notice(&self, has_places: bool) -> Option<String> {
        let mut notice = String::new();
        for (repair, Places { count, values, paths, .. }) in self.all() {
            let [once, several] = repair.phrases();
            let separator =
                if notice.is_empty() { "The API's response was repaired: " } else { "; " };
            let phrase = if *count == 1 { once } else { several };
            let _ = write!(notice, "{separator}{count} {phrase}");
            if has_places {
                let _ = write!(notice, " (at {}", paths.join(", "));
                let further = values.saturating_sub(paths.len());
                let _ = match further {
                    0 => write!(notice, ")"),
                    _ => write!(notice, " and {further} more)"),
                };
            }
        }
        (!notice.is_empty()).then(|| notice + ".")
    }
}

/// Collects what lenient reading changes in responses. Clones share what they collect.
#[derive(Debug, Clone, Default)]
pub struct RepairLog {
    collected: Arc<Mutex<Collected>>,
    checks_names: bool,
}

#[derive(Debug, Default)]
struct Collected {
    all: Repairs,
    /// Those of the last response: a model that is read again repeats them, and they count once.
    last: Repairs,
}

impl RepairLog {
    /// For a call whose changes rest on what it reads: all responses are searched for names that come twice, which takes
    /// about as long as parsing them. Otherwise only the documented objects are, which costs nothing.
    #[must_use]
    pub fn for_changes() -> Self {
        Self { checks_names: true, ..Self::default() }
    }

    pub(super) fn checks_names(&self) -> bool {
        self.checks_names
    }

    pub(super) fn add(&self, repairs: Repairs) {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        let is_any = repairs != Repairs::default();
        if is_any && repairs != collected.last {
            collected.last = repairs.clone();
            collected.all.merge(repairs);
        }
    }

    /// What was changed and where, in a sentence; none if nothing was. Property names that are not plain words are
    /// left out.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).all.notice(true)
    }

    /// The same without places.
    #[must_use]
    pub fn short_notice(&self) -> Option<String> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).all.notice(false)
    }

    /// Whether any value is no longer the one that the API has, so that it must not be written back.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).all.is_lossy()
    }

    /// The places of the values that are no longer those of the API; none if not all are known.
    #[must_use]
    pub fn lossy_places(&self) -> Option<Vec<String>> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).all.lossy_places()
    }

    /// Whether characters are all that was lost: what has no U+FFFD is then what the API has.
    #[must_use]
    pub fn only_lost_characters(&self) -> bool {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).all.only_lost_characters()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_the_first_places_and_counts_the_others() {
        let log = RepairLog::default();
        assert_eq!((log.notice(), log.is_lossy()), (None, false));
        let mut repairs = Repairs::default();
        repairs.add(Repair::LineBreak, 1, || "data.a".to_owned());
        log.add(repairs.clone());
        assert!(!log.is_lossy());
        for index in 0..5 {
            repairs.add(Repair::Character, index, || format!("data[{index}]"));
            repairs.add(Repair::Character, index, || panic!("the same place"));
        }
        log.add(repairs);
        assert!(log.is_lossy());
        assert_eq!(
            log.notice().unwrap(),
            "The API's response was repaired: 10 invalid characters became U+FFFD (at data[0], data[1], data[2] and 2 \
             more); 2 unescaped line breaks or tabs were kept (at data.a, data.a)."
        );
        assert_eq!(
            log.short_notice().unwrap(),
            "The API's response was repaired: 10 invalid characters became U+FFFD; 2 unescaped line breaks or tabs \
             were kept."
        );
    }
}
