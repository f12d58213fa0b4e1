//! The OpenAPI document of a running server, and whether it describes an answer.

use serde_json::{Value, json};

use super::{Answer, Server};

pub struct ApiDocument(Value);

impl ApiDocument {
    #[track_caller]
    pub fn of(server: &Server) -> Self {
        Self(server.manage("GET", "/openapi.json").send().status(200).json())
    }

    pub fn document(&self) -> &Value {
        &self.0
    }

    /// Returns method (in capitals), path and description of each operation.
    pub fn operations(&self) -> impl Iterator<Item = (String, &str, &Value)> {
        let paths = self.0["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, item)| {
            let operations = item.as_object().expect("an item").iter();
            let operations = operations.filter(|(_, operation)| operation.get("responses").is_some());
            operations.map(|(method, operation)| (method.to_uppercase(), path.as_str(), operation))
        })
    }

    /// Whether this value matches the schema, which may refer to others of the document.
    pub fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let root = json!({ "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::draft202012::new(&root).expect("a schema");
        let errors: Vec<String> = validator.iter_errors(value).map(|e| e.to_string()).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }

    /// Fails if the document does not describe this answer for this operation. The answer to `HEAD` is that to `GET`
    /// without its body.
    #[track_caller]
    pub fn describes(&self, method: &str, path: &str, answer: &Answer) {
        let described = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
        let operation = &self.0["paths"][path][described];
        let said = &operation["responses"][answer.status.to_string()];
        assert!(!said.is_null(), "{method} {path} has an undocumented answer: {answer}");
        for (name, header) in said["headers"].as_object().into_iter().flatten() {
            // The only optional header.
            if name == "X-Backup-Requested" && answer.header(name).is_none() {
                continue;
            }
            let value = answer.must_have(name);
            let value = if header["schema"]["type"] == "integer" {
                value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number))
            } else {
                json!(value)
            };
            self.fits(&header["schema"], &value).unwrap_or_else(|e| panic!("{method} {path}: {name}: {e}"));
        }
        if method == "HEAD" {
            assert!(answer.body.is_empty(), "HEAD {path} has a body: {answer}");
            return;
        }
        let Some(content) = said.get("content").and_then(Value::as_object).filter(|c| !c.is_empty()) else {
            assert!(answer.body.is_empty(), "{method} {path} has no body there: {answer}");
            return;
        };
        let media_type = answer.must_have("content-type");
        let Some(body) = content.get(media_type) else {
            panic!("{method} {path} does not answer with {media_type}: {answer}");
        };
        if media_type == "application/json" {
            self.fits(&body["schema"], &answer.json())
                .unwrap_or_else(|e| panic!("{method} {path}: {e}: {answer}"));
            let code = answer.json()["code"].as_u64();
            assert!(code.is_none_or(|code| code == u64::from(answer.status)), "{method} {path}: {answer}");
        }
    }
}
