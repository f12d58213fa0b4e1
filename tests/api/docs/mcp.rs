//! MCP over plain HTTP; `script/test-api` tests it with a real MCP client.

use serde_json::{Value, json};

use crate::harness::{Answer, ApiDocument, RawClient, Server, bare_head};

fn ask(server: &Server, question: &Value, headers: &[(&str, &str)]) -> Answer {
    let ours = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let replaced = |name: &str| headers.iter().any(|(other, _)| *other == name);
    let ours = ours.iter().filter(|(name, _)| !replaced(name));
    let all = ours.chain(headers).filter(|(_, value)| !value.is_empty());
    let request = server.manage("POST", "/mcp");
    let request = all.fold(request, |request, (name, value)| request.header(name, value));
    request.body(question.to_string()).send()
}

fn question(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

#[track_caller]
fn result(server: &Server, method: &str, params: &Value) -> Value {
    let answer = ask(server, &question(method, params), &[]).status(200);
    assert_eq!(answer.must_have("content-type"), "application/json", "{answer}");
    assert_eq!(answer.header("mcp-session-id"), None, "there are no sessions: {answer}");
    let json = answer.json();
    assert_eq!(json["id"], 7, "{answer}");
    json["result"].clone()
}

/// Returns whether a tool's result is an error, and its text.
#[track_caller]
fn call(server: &Server, tool: &str, arguments: &Value) -> (bool, String) {
    let result = result(server, "tools/call", &json!({ "name": tool, "arguments": arguments }));
    let text = result["content"][0]["text"].as_str().expect("a text").to_owned();
    (result["isError"] == true, text)
}

#[test]
fn mcp_client_finds_the_tools_and_all_are_read_only() {
    let server = Server::start();
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    let initialized = result(&server, "initialize", &hello);
    assert_eq!(initialized["protocolVersion"], "2025-06-18");
    assert_eq!(initialized["serverInfo"]["name"], "strongroom");
    ask(&server, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), &[]).status(202);
    let tools = result(&server, "tools/list", &json!({}));
    let tools = tools["tools"].as_array().expect("tools");
    let mut names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    names.sort_unstable();
    let expected = ["get_operation", "list_guides", "list_operations", "read_guide", "search_operations"];
    assert_eq!(names, expected);
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert!(tool["description"].is_string() && tool["inputSchema"]["type"] == "object", "{tool}");
    }
}

#[test]
fn mcp_operations_are_listed_searched_and_read() {
    let server = Server::start();
    let api = ApiDocument::of(&server);
    let listed: Value = serde_json::from_str(&call(&server, "list_operations", &json!({})).1).expect("JSON");
    let expected = api.operations().count();
    assert_eq!(listed.as_array().map(Vec::len), Some(expected));
    let (_, found) = call(&server, "search_operations", &json!({ "query": "PRUNED quota upload" }));
    assert_eq!(found, "[]");
    let (_, found) = call(&server, "search_operations", &json!({ "query": "Content-Digest X-Filename" }));
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found[0]["operation_id"], "uploadBackup");

    let (_, one) = call(&server, "get_operation", &json!({ "operation_id": "uploadBackup" }));
    let one: Value = serde_json::from_str(&one).expect("JSON");
    let path = &api.document()["paths"]["/api/systems/backups"];
    assert_eq!(one["operation"], path["post"]);
    assert_eq!(one["server"], server.url(""));
    for schema in ["BackupMetadataResponse", "BackupMetadata", "ValidationError", "FieldError", "ErrorKind"] {
        assert!(one["components"]["schemas"][schema].is_object(), "{schema} is missing");
    }
    assert!(call(&server, "get_operation", &json!({ "operation_id": "nothing" })).0);
}

#[test]
fn mcp_search_that_would_take_long_is_a_tool_error() {
    let server = Server::start();
    let search = |query: &str| call(&server, "search_operations", &json!({ "query": query }));
    let different = |words: usize| (0..words).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
    let (failed, found) = search(&different(16));
    assert!(!failed && found == "[]", "{found}");
    let (failed, told) = search(&different(17));
    assert!(failed && told == "a query has at most 16 different words", "{told}");
    let (failed, found) = search(&"upload ".repeat(28));
    assert!(!failed && found.contains("uploadBackup"), "one word, however often: {found}");
    let (failed, _) = search(&"x".repeat(200));
    assert!(!failed);
    for long in ["x".repeat(201), "\u{e9}".repeat(101)] {
        let (failed, told) = search(&long);
        assert!(failed && told == "a query has at most 200 bytes", "{told}");
    }
}

#[test]
fn mcp_guides_are_listed_and_read() {
    let server = Server::start();
    let (_, listed) = call(&server, "list_guides", &json!({}));
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    for guide in listed.as_array().expect("guides") {
        let (failed, markdown) = call(&server, "read_guide", &json!({ "name": guide["name"] }));
        assert!(!failed && markdown.starts_with("# "), "{guide}: {markdown}");
        let page = server.manage("GET", &format!("/docs/{}.md", guide["name"].as_str().expect("a name")));
        assert_eq!(page.send().status(200).body, markdown.as_bytes());
    }
    assert!(call(&server, "read_guide", &json!({ "name": "../Cargo" })).0);
}

#[test]
fn mcp_request_for_another_host_or_origin_is_refused() {
    let server = Server::with([("MANAGEMENT_PUBLIC_URL", "https://manage.example")]);
    let url = server.management_url("");
    let port = url.rsplit(':').next().expect("a port").to_owned();
    let body = question("tools/list", &json!({})).to_string();
    let status = |host: &str, origin: &str| {
        let length = format!("Content-Length: {}", body.len());
        let mut lines =
            vec!["Content-Type: application/json", "Accept: application/json, text/event-stream", &length];
        let origin = format!("Origin: {origin}");
        if !origin.ends_with(' ') {
            lines.push(&origin);
        }
        let mut raw = RawClient::to_management(&server);
        raw.send(bare_head("POST", "/mcp", &lines).replace("vault.example", host) + &body);
        raw.answer().status
    };
    let own = format!("127.0.0.1:{port}");
    for host in
        [own.as_str(), "localhost", &format!("localhost:{port}"), &format!("[::1]:{port}"), "manage.example"]
    {
        assert_eq!(status(host, ""), 200, "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "manage.example.evil.example",
        "10.0.0.1",
    ] {
        assert_eq!(status(host, ""), 403, "{host}");
    }
    for origin in
        [format!("http://{own}"), format!("http://localhost:{port}"), "https://manage.example".to_owned()]
    {
        assert_eq!(status(&own, &origin), 200, "{origin}");
    }
    let foreign = [
        "https://evil.example",
        "null",
        "http://localhost:1",
        "http://manage.example",
        "https://manage.example:444",
    ];
    for origin in foreign {
        assert_eq!(status(&own, origin), 403, "{origin}");
    }
}

#[test]
fn invalid_mcp_request_is_refused_and_the_server_goes_on() {
    let server = Server::start();
    let tools = question("tools/list", &json!({}));
    ask(&server, &tools, &[("accept", "text/html")]).status(406);
    ask(&server, &tools, &[("content-type", "text/plain")]).status(415);
    ask(&server, &json!("nonsense"), &[]).status(415);
    ask(&server, &tools, &[("mcp-protocol-version", "1999-01-01")]).status(400);
    let room = 8192 - question("no/such", &json!({ "x": "" })).to_string().len();
    let filled = |bytes: usize| question("no/such", &json!({ "x": "x".repeat(bytes) }));
    ask(&server, &filled(room), &[]).status(200);
    for large in [room + 1, 70_000] {
        let answer = ask(&server, &filled(large), &[]).status(413);
        assert_eq!(answer.message(), "question too large");
    }
    let unknown = ask(&server, &question("no/such", &json!({})), &[]);
    assert!(unknown.json()["error"]["code"].is_i64(), "{unknown}");
    server.manage("GET", "/mcp").header("accept", "text/event-stream").send().status(405);
    server.manage("DELETE", "/mcp").send().status(405);
    result(&server, "tools/list", &json!({}));
}

#[test]
fn refused_mcp_request_says_why() {
    let server = Server::start();
    let both = "application/json, text/event-stream";
    let long = "x".repeat(9000);
    let question = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let too_large = r#"{"code":413,"message":"question too large","data":{}}"#;
    let cases = [
        (400, "application/json", both, "1999-01-01", question.as_str(), "Unsupported MCP-Protocol-Version"),
        (406, "application/json", "text/html", "2025-06-18", question.as_str(), "Client must accept both"),
        (413, "application/json", both, "2025-06-18", long.as_str(), too_large),
        (415, "text/plain", both, "2025-06-18", question.as_str(), "Content-Type must be application/json"),
    ];
    for (status, kind, accept, version, body, reason) in cases {
        let request = server.manage("POST", "/mcp").header("content-type", kind).header("accept", accept);
        let answer = request.header("mcp-protocol-version", version).body(body).send().status(status);
        let sent = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(sent.contains(reason), "{status}: {sent}");
    }
}
