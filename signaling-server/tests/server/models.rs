//! Model files: ranges, versions, names.

use serde_json::json;

use crate::{TestServer, http, model_bytes};

#[tokio::test]
async fn models_are_listed() {
    let server = TestServer::start().await;
    let answer = http::get(server.address, "/api/models", &[]).await;
    let tiny = json!([{ "name": "tiny.gguf", "bytes": 100_000, "url": "/models/tiny.gguf" }]);
    assert_eq!(answer.json(), tiny);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_first_folder_with_a_name_wins() {
    let server = TestServer::start_with(|config| {
        let second = config.app_dir.with_file_name("second");
        std::fs::create_dir(&second).unwrap();
        std::fs::write(second.join("tiny.gguf"), b"other").unwrap();
        std::fs::write(second.join("more.gguf"), b"more").unwrap();
        config.model_dirs.push(second);
    })
    .await;
    let models = http::get(server.address, "/api/models", &[]).await.json();
    assert_eq!((&models[0]["name"], &models[0]["bytes"]), (&json!("more.gguf"), &json!(4)));
    assert_eq!((&models[1]["name"], &models[1]["bytes"]), (&json!("tiny.gguf"), &json!(100_000)));
    assert_eq!(http::get(server.address, "/models/tiny.gguf", &[]).await.body, model_bytes());
    assert_eq!(http::get(server.address, "/models/more.gguf", &[]).await.body, b"more");
}

#[tokio::test]
async fn folders_and_files_in_parts_are_models() {
    let server = TestServer::start_with(|config| {
        let folder = &config.model_dirs[0];
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
        for folder in ["whole", "shards", "other"].map(|name| folder.join(name)) {
            std::fs::create_dir(folder).unwrap();
        }
        write("parts-00001-of-00002.gguf", b"12");
        write("parts-00002-of-00002.gguf", b"345");
        write("whole/config.json", b"{}");
        write("whole/model.safetensors", b"1234");
        write("whole/notes.txt", b"secret");
        write("shards/config.json", b"{}");
        write("shards/model.safetensors.index.json", b"{}");
        write("shards/model-00001-of-00002.safetensors", b"1");
        write("shards/model-00002-of-00002.safetensors", b"23");
        write("other/model.safetensors", b"secret");
    })
    .await;
    let models = http::get(server.address, "/api/models", &[]).await.json();
    let expected = json!([
        { "name": "parts-00001-of-00002.gguf", "bytes": 5, "url": "/models/parts-00001-of-00002.gguf" },
        { "name": "shards", "bytes": 3, "url": "/models/shards/model.safetensors.index.json" },
        { "name": "tiny.gguf", "bytes": 100_000, "url": "/models/tiny.gguf" },
        { "name": "whole", "bytes": 4, "url": "/models/whole/model.safetensors" },
    ]);
    assert_eq!(models, expected);
    let range = [("range", "bytes=1-2")];
    let part = http::get(server.address, "/models/whole/model.safetensors", &range).await;
    assert_eq!((part.status, part.body), (206, b"23".to_vec()));
    assert_eq!(http::get(server.address, "/models/whole/config.json", &[]).await.body, b"{}");
    for target in
        ["whole/notes.txt", "other/model.safetensors", "whole/..%2ftiny.gguf", "whole/x/y"]
    {
        let answer = http::get(server.address, &format!("/models/{target}"), &[]).await;
        assert_eq!(answer.status, 404, "{target}");
    }
}

#[tokio::test]
async fn a_whole_model() {
    let server = TestServer::start().await;
    let accept = [("accept-encoding", "br, gzip")];
    let answer = http::get(server.address, "/models/tiny.gguf?peer=000000ab", &accept).await;
    assert_eq!((answer.status, answer.body), (200, model_bytes()));
    assert_eq!(answer_headers(&server, &[]).await, ["bytes", "100000", "", ""]);
    let head = http::ask(server.address, "HEAD", "/models/tiny.gguf", &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "100000", 0));
    let post = http::ask(server.address, "POST", "/models/tiny.gguf", &[]).await;
    assert_eq!(post.status, 405);
}

#[tokio::test]
async fn one_range() {
    let server = TestServer::start().await;
    let whole = model_bytes();
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=40000-79999", 40_000..80_000),
        ("bytes=99990-", 99_990..100_000),
        ("bytes=-8", 99_992..100_000),
        ("bytes=99999-200000", 99_999..100_000),
    ] {
        let answer = http::get(server.address, "/models/tiny.gguf", &[("range", range)]).await;
        assert_eq!(answer.status, 206, "{range}");
        let content_range = format!("bytes {}-{}/100000", part.start, part.end - 1);
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("content-length"), part.len().to_string());
        assert_eq!(answer.header("content-encoding"), "");
        assert_eq!(answer.body, whole[part], "{range}");
    }
}

#[tokio::test]
async fn bad_ranges() {
    let server = TestServer::start().await;
    for range in ["bytes=100000-", "bytes=5-4", "bytes=-0", "bytes=0-1,3-4", "bytes=x", "bytes"] {
        let answer = http::get(server.address, "/models/tiny.gguf", &[("range", range)]).await;
        assert_eq!((answer.status, answer.body.len()), (416, 0), "{range}");
        assert_eq!(answer.header("content-range"), "bytes */100000", "{range}");
    }
    let answer = http::get(server.address, "/models/tiny.gguf", &[("range", "items=0-1")]).await;
    assert_eq!(answer.status, 200, "other units are ignored");
}

#[tokio::test]
async fn versions() {
    let server = TestServer::start().await;
    let first = http::get(server.address, "/models/tiny.gguf", &[]).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 8, "{tag}");
    let weak = format!("\"other\", W/{tag}");
    for tags in [tag.as_str(), "*", &weak] {
        let headers = [("if-none-match", tags), ("range", "bytes=0-3")];
        let same = http::get(server.address, "/models/tiny.gguf", &headers).await;
        assert_eq!((same.status, same.body.len()), (304, 0));
    }
    for (version, status, length) in [(tag.as_str(), 206, 4), ("\"other\"", 200, 100_000)] {
        let headers = [("if-range", version), ("range", "bytes=0-3")];
        let answer = http::get(server.address, "/models/tiny.gguf", &headers).await;
        assert_eq!((answer.status, answer.body.len()), (status, length), "{version}");
    }
    std::fs::write(server.folder.path().join("models/tiny.gguf"), b"new").unwrap();
    let new = http::get(server.address, "/models/tiny.gguf", &[("if-none-match", &tag)]).await;
    assert_eq!((new.status, new.body), (200, b"new".to_vec()));
}

#[tokio::test]
async fn only_models_and_what_describes_them() {
    let server = TestServer::start().await;
    let json = http::get(server.address, "/models/tiny.json", &[]).await;
    assert_eq!((json.status, json.header("content-type")), (200, "application/json"));
    let hostile = [
        "/models/",
        "/models",
        "/models/notes.txt",
        "/models/lonely.json",
        "/models/none.gguf",
        "/models/.hidden.gguf",
        "/models/inner",
        "/models/inner/deep.gguf",
        "/models/inner%2fdeep.gguf",
        "/models/../secret.gguf",
        "/models/..%2fsecret.gguf",
        "/models/%2e%2e%2fsecret.gguf",
        "/models/%2e%2e/secret.gguf",
        "/models/..%5csecret.gguf",
        "/models/%252e%252e%252fsecret.gguf",
        "/models/tiny.gguf%00.txt",
        "/models/%00tiny.gguf",
        "/models/%ff%fe.gguf",
        "/models/%",
        "/models//tiny.gguf",
        "/models/tiny.gguf/",
        "/models/%2Fetc%2Fpasswd",
        "/models//etc/passwd",
    ];
    for target in hostile {
        for headers in [&[][..], &[("accept", "text/html")]] {
            let answer = http::get(server.address, target, headers).await;
            let status = answer.status;
            assert!(matches!(status, 400 | 404), "{target}: {status}");
            assert!(!answer.body.windows(6).any(|part| part == b"secret"), "{target}");
        }
    }
    let long = format!("/models/{}.gguf", "a".repeat(5000));
    assert_eq!(http::get(server.address, &long, &[]).await.status, 404);
}

#[tokio::test]
async fn a_missing_folder_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "").unwrap();
    let mut config = signaling_server::Config::new(folder.path());
    config.model_dirs = vec![folder.path().join("nowhere")];
    let error = signaling_server::Server::new(config).err().unwrap();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

async fn answer_headers(server: &TestServer, headers: &[(&str, &str)]) -> [String; 4] {
    let answer = http::get(server.address, "/models/tiny.gguf", headers).await;
    ["accept-ranges", "content-length", "content-encoding", "content-range"]
        .map(|name| answer.header(name).to_owned())
}
