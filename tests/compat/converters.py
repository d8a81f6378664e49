"""Converts the tools for the APIs of model vendors, as libraries do, and checks what becomes of the arguments.

    pip install -r tests/compat/requirements.txt
    PROGRAM=target/debug/polytomic-mcp python tests/compat/converters.py

One line a converter; the exit status is 1 when one refuses a tool, or loses an argument or its description.
"""

import copy
import json
import os
import subprocess
import sys

from agents.mcp import MCPServerStdio
from agents.mcp.util import MCPUtil
from google.genai._mcp_utils import mcp_to_gemini_tools
from langchain_core.tools import StructuredTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_google_genai._function_utils import convert_to_genai_function_declarations
from mcp.types import Tool
from pydantic_ai.profiles.google import GoogleJsonSchemaTransformer, GoogleOpenAPISchemaTransformer
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer

# A strict schema declares every property, and these have a map whose properties depend on the connection.
WITH_FREE_MAPS = {
    "create_model",
    "get_enrichment_fields",
    "get_enrichment_source",
    "get_model_source",
    "get_model_source_fields",
    "preview_model",
    "update_model",
}

LIST = subprocess.check_output([os.environ["PROGRAM"], "schemas"])
TOOLS = [Tool.model_validate(tool) for tool in json.loads(LIST)]
SERVER = MCPServerStdio({"command": "polytomic-mcp"})  # never started


def as_function(tool):
    return {"name": tool.name, "description": tool.description, "parameters": copy.deepcopy(tool.inputSchema)}


def google_genai(tool):
    (converted,) = mcp_to_gemini_tools([tool])
    return converted.function_declarations[0].parameters


def google_genai_agent_platform(tool):
    (converted,) = mcp_to_gemini_tools([tool], is_agent_platform=True)
    return converted.function_declarations[0].parameters_json_schema


def langchain_google_genai(tool):
    (converted,) = convert_to_genai_function_declarations([as_function(tool)])
    return converted.function_declarations[0].parameters


def langchain_core(tool):
    structured = StructuredTool(
        name=tool.name, description=tool.description, args_schema=tool.inputSchema, func=lambda: None
    )
    return convert_to_openai_tool(structured)["function"]["parameters"]


def langchain_core_strict(tool):
    return convert_to_openai_tool(as_function(tool), strict=True)["function"]["parameters"]


def openai_agents(tool):
    converted = MCPUtil.to_function_tool(tool, SERVER, convert_schemas_to_strict=False)
    assert not converted.strict_json_schema
    return converted.params_json_schema


def openai_agents_strict(tool):
    converted = MCPUtil.to_function_tool(tool, SERVER, convert_schemas_to_strict=True)
    # It takes an object without any properties for a free map as well.
    expected = tool.name not in WITH_FREE_MAPS and bool(tool.inputSchema["properties"])
    assert converted.strict_json_schema == expected, f"strict: {converted.strict_json_schema}"
    return converted.params_json_schema


def pydantic_ai(transformer, **options):
    def convert(tool):
        return transformer(copy.deepcopy(tool.inputSchema), **options).walk()

    convert.__name__ = " ".join(["pydantic_ai", transformer.__name__, *options])
    return convert


CONVERTERS = [
    google_genai,
    google_genai_agent_platform,
    langchain_google_genai,
    langchain_core,
    langchain_core_strict,
    openai_agents,
    openai_agents_strict,
    pydantic_ai(OpenAIJsonSchemaTransformer),
    pydantic_ai(OpenAIJsonSchemaTransformer, strict=True),
    pydantic_ai(GoogleJsonSchemaTransformer),
    pydantic_ai(GoogleOpenAPISchemaTransformer),
]


def expected_arguments(tool, convert):
    """The arguments before the conversion; for one converter free maps are texts, which the server parses as JSON."""
    expected = arguments(tool.inputSchema)
    if convert is langchain_google_genai:
        parents = {path.rpartition(".")[0] for path in expected}
        for path, (kind, description) in expected.items():
            if kind == "object" and path not in parents:
                expected[path] = ("string", description)
    return expected


def arguments(schema, path=""):
    """The arguments at every depth, with type and description."""
    found = {}
    for name, inner in (schema.get("properties") or {}).items():
        at = f"{path}.{name}"
        # pydantic_ai appends bounds that a vendor does not take.
        description = (inner.get("description") or "").split(" (")[0].split("\n")[0]
        found[at] = (inner["type"].lower(), description)
        found |= arguments(inner, at)
    items = schema.get("items")
    return found | (arguments(items, f"{path}[]") if items else {})


assert len(TOOLS) == 20, len(TOOLS)
assert WITH_FREE_MAPS < {tool.name for tool in TOOLS}
failures = 0
for convert in CONVERTERS:
    try:
        for tool in TOOLS:
            at = tool.name
            converted = convert(tool) or {}  # nothing for a tool without arguments
            if not isinstance(converted, dict):
                converted = converted.model_dump(mode="json", exclude_none=True)
            before, after = expected_arguments(tool, convert), arguments(converted)
            changed = {name for name in before | after if before.get(name) != after.get(name)}
            assert not changed, {name: (before.get(name), after.get(name)) for name in changed}
        print(f"ok      {convert.__name__}")
    except Exception as error:  # every converter is tried, whatever the others did
        failures += 1
        print(f"FAILED  {convert.__name__}: {at}: {type(error).__name__}: {str(error)[:500]}")
sys.exit(1 if failures else 0)
