//! The app's files and the headers around everything.

use crate::{PAGE, SCRIPT, SERVICE_WORKER, TestServer, http};

#[tokio::test]
async fn the_page() {
    let server = TestServer::start().await;
    for target in ["/", "/index.html", "/?x=1"] {
        let answer = http::get(server.address, target, &[]).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, PAGE.as_bytes()), "{target}");
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("content-type"), "text/html");
    }
}

#[tokio::test]
async fn hashed_files_are_kept_for_ever() {
    let server = TestServer::start().await;
    let wasm = http::get(server.address, "/assets/engine-4d5e6f.wasm", &[]).await;
    assert_eq!(wasm.status, 200);
    assert_eq!(wasm.header("content-type"), "application/wasm");
    assert_eq!(wasm.header("cache-control"), "public, max-age=31536000, immutable");
    let missing = http::get(server.address, "/assets/script-000000.js", &[]).await;
    assert_eq!((missing.status, missing.header("cache-control")), (404, "no-cache"));
}

/// What it keeps on phones is as old as it is.
#[tokio::test]
async fn the_service_worker_is_asked_for_again_and_is_a_script() {
    let server = TestServer::start().await;
    let worker = http::get(server.address, "/sw.js", &[("service-worker", "script")]).await;
    assert_eq!((worker.status, worker.body.as_slice()), (200, SERVICE_WORKER.as_bytes()));
    assert_eq!(worker.header("content-type"), "text/javascript");
    assert_eq!(worker.header("cache-control"), "no-cache");
    // It may be one of the whole page and of nothing else, and fetches nothing that the page may not.
    assert_eq!(worker.header("service-worker-allowed"), "");
    assert!(worker.header("content-security-policy").contains("script-src 'self'"));
    assert_eq!(worker.header("cross-origin-embedder-policy"), "require-corp");
}

#[tokio::test]
async fn compressed_files_are_served_to_those_who_accept_them() {
    let server = TestServer::start().await;
    let fetch = async |accepted: &str| {
        let headers = [("accept-encoding", accepted)];
        http::get(server.address, "/assets/script-1a2b3c.js", &headers).await
    };
    let brotli = fetch("gzip, deflate, br").await;
    assert_eq!((brotli.status, brotli.header("content-encoding")), (200, "br"));
    assert_eq!(brotli.header("content-type"), "text/javascript");
    assert!(brotli.header("vary").contains("accept-encoding"));
    let mut script = Vec::new();
    brotli::BrotliDecompress(&mut brotli.body.as_slice(), &mut script).unwrap();
    assert_eq!(script, SCRIPT.as_bytes());

    let gzip = fetch("gzip").await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let plain = fetch("identity").await;
    assert_eq!((plain.header("content-encoding"), plain.body.as_slice()), ("", SCRIPT.as_bytes()));
}

#[tokio::test]
async fn unknown_paths_are_the_page_for_people_and_nothing_for_pages() {
    let server = TestServer::start().await;
    for headers in [[("sec-fetch-mode", "navigate")], [("accept", "text/html,*/*")]] {
        let answer = http::get(server.address, "/room/of/ours?x", &headers).await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, PAGE.as_bytes()));
    }
    let fetches = [("sec-fetch-mode", "cors"), ("accept", "*/*"), ("x-nothing", "")];
    for header in fetches {
        assert_eq!(http::get(server.address, "/room", &[header]).await.status, 404);
    }
    let navigation = [("sec-fetch-mode", "navigate")];
    for target in ["/api/nothing", "/models/none.gguf", "/models/a/b"] {
        assert_eq!(http::get(server.address, target, &navigation).await.status, 404, "{target}");
    }
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let server = TestServer::start().await;
    for target in ["/../secret.gguf", "/..%2fsecret.gguf", "/%2e%2e/secret.gguf", "//etc/passwd"] {
        let answer = http::get(server.address, target, &[]).await;
        assert!(matches!(answer.status, 400 | 404), "{target}: {}", answer.status);
    }
    assert_eq!(http::ask(server.address, "POST", "/", &[]).await.status, 405);
}

#[tokio::test]
async fn every_answer_guards_the_page() {
    let server = TestServer::start().await;
    let targets =
        ["/", "/sw.js", "/none", "/api/stats", "/models/tiny.gguf", "/models/none.gguf", "/signal"];
    for target in targets {
        let answer = http::get(server.address, target, &[]).await;
        for (name, value) in [
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value, "{target}");
        }
        assert!(answer.header("permissions-policy").contains("camera=(self)"), "{target}");
        let policy: Vec<&str> =
            answer.header("content-security-policy").split(';').map(str::trim).collect();
        for part in [
            "default-src 'self'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "connect-src 'self' https:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(&part), "{target}: {part}");
        }
        assert!(!policy.concat().contains("unsafe-inline"));
    }
}

#[tokio::test]
async fn an_app_that_was_not_built_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = signaling_server::Config::new(folder.path());
    let error = signaling_server::Server::new(config).err().unwrap();
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
}
