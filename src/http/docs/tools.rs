//! The MCP tools for AI tools. They read the documentation and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contents::Entry;
use super::document::operations;
use super::site::Documentation;

/// Limits on the cost of a search. It runs on a thread that serves requests, and needs no credential.
const MAX_QUERY: usize = 200;
const MAX_WORDS: usize = 16;

/// The tools. Their state is the document and the guides.
#[derive(Clone)]
pub struct Tools {
    site: Arc<Documentation>,
    document: Arc<Value>,
    operations: Arc<[IndexedOperation]>,
    tool_router: ToolRouter<Self>,
}

/// An operation, prepared for lists and searches.
struct IndexedOperation {
    /// All that the document says about the operation, in lower case, for searches.
    text: String,
    shown: Value,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Query {
    /// Words to look for, at most 16 in 200 bytes; an operation is found if all of them occur in it.
    query: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct OperationId {
    /// From `list_operations` or `search_operations`.
    operation_id: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct GuideName {
    /// From `list_guides`.
    name: String,
}

#[tool_router]
impl Tools {
    pub fn new(site: Arc<Documentation>, document: Arc<Value>) -> Self {
        let operations = index(&document);
        Self { site, document, operations, tool_router: Self::tool_router() }
    }

    /// All operations of both APIs: id, method, path and summary.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn list_operations(&self) -> String {
        self.matching(|_| true)
    }

    /// The operations in whose description, parameters or answers all the words occur.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn search_operations(&self, Parameters(Query { query }): Parameters<Query>) -> Result<String, String> {
        if query.len() > MAX_QUERY {
            return Err(format!("a query has at most {MAX_QUERY} bytes"));
        }
        let words: BTreeSet<String> = query.split_whitespace().map(str::to_lowercase).collect();
        if words.len() > MAX_WORDS {
            return Err(format!("a query has at most {MAX_WORDS} different words"));
        }
        Ok(self.matching(|text| words.iter().all(|word| text.contains(word))))
    }

    /// One operation in full (OpenAPI 3.1): parameters, body, every answer with examples, its server,
    /// and the schemas that it refers to.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn get_operation(
        &self,
        Parameters(OperationId { operation_id }): Parameters<OperationId>,
    ) -> Result<String, String> {
        let (path, method, operation, server) = operations(&self.document)
            .find(|(_, _, operation, _)| operation["operationId"] == operation_id)
            .ok_or("no such operation: see list_operations")?;
        let mut schemas = Map::new();
        self.collect_schemas(operation, &mut schemas);
        let found = json!({
            "method": method.to_uppercase(), "path": path, "server": server, "operation": operation,
            "components": { "schemas": schemas, "securitySchemes": self.document["components"]["securitySchemes"] },
        });
        Ok(pretty(&found))
    }

    /// The guides: name, title and what each is about.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn list_guides(&self) -> String {
        let entries = self.site.markdown_entries();
        let guides: Vec<Value> = entries
            .map(|Entry { name, title, summary }| json!({ "name": name, "title": title, "about": summary }))
            .collect();
        pretty(&json!(guides))
    }

    /// A guide, as Markdown.
    #[tool(annotations(read_only_hint = true, open_world_hint = false))]
    fn read_guide(&self, Parameters(GuideName { name }): Parameters<GuideName>) -> Result<String, String> {
        self.site.markdown(&name).ok_or_else(|| "no such guide: see list_guides".to_owned())
    }
}

impl Tools {
    /// The operations whose text matches, as JSON.
    fn matching(&self, matches: impl Fn(&str) -> bool) -> String {
        let found: Vec<&Value> =
            self.operations.iter().filter(|one| matches(&one.text)).map(|one| &one.shown).collect();
        pretty(&json!(found))
    }

    /// Collects the schemas that a value refers to, directly and indirectly.
    fn collect_schemas(&self, value: &Value, into: &mut Map<String, Value>) {
        match value {
            Value::Object(members) => {
                let name =
                    members.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
                if let Some(name) = name
                    && !into.contains_key(name)
                {
                    let schema = &self.document["components"]["schemas"][name];
                    into.insert(name.to_owned(), schema.clone());
                    self.collect_schemas(schema, into);
                }
                members.values().for_each(|member| self.collect_schemas(member, into));
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect_schemas(item, into)),
            _ => {}
        }
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_instructions(
                "The documentation of Strongroom, a vault for configuration backups. Find an operation with \
             search_operations, read it with get_operation; read_guide explains how things are done.",
            );
        info.server_info = Implementation::new("strongroom", env!("CARGO_PKG_VERSION"));
        info
    }
}

fn index(document: &Value) -> Arc<[IndexedOperation]> {
    operations(document)
        .map(|(path, method, operation, _)| IndexedOperation {
            text: searched_text(path, method, operation),
            shown: json!({
                "operation_id": operation["operationId"], "method": method.to_uppercase(), "path": path,
                "summary": operation["summary"],
            }),
        })
        .collect()
}

/// All that the document says about an operation, but for the samples: their words are in each of them.
fn searched_text(path: &str, method: &str, operation: &Value) -> String {
    let mut operation = operation.clone();
    if let Some(members) = operation.as_object_mut() {
        members.remove("x-codeSamples");
    }
    format!("{method} {path} {operation}").to_lowercase()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
