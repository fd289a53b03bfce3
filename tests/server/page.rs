//! The demo page.
use serde_json::Value;

use crate::harness::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_brings_all_that_it_names() {
    let server = Server::start(|_| ());
    let page = server.get("/").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
    let page = page.text().await.unwrap();
    let named = |quote: &str| -> Vec<String> {
        let parts = page.split(quote).skip(1);
        parts.map(|rest| rest.split('"').next().unwrap_or_default().to_string()).collect()
    };
    let files: Vec<String> = named("src=\"").into_iter().chain(named("href=\"")).filter(|name| name != "#").collect();
    assert!(files.contains(&"main.js".to_string()) && files.contains(&"style.css".to_string()), "{files:?}");
    for file in files {
        assert_eq!(server.get(&format!("/{file}")).await.status(), 200, "{file}");
    }
    for module in ["engine.js", "sound.js", "recorder.js"] {
        let answer = server.get(&format!("/{module}")).await;
        assert_eq!(answer.headers()["content-type"], "text/javascript; charset=utf-8", "{module}");
    }
    assert_eq!(server.get("/main.rs").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_comes_without_the_key_and_asks_for_it() {
    for key in [None, Some("secret".to_string())] {
        let server = Server::start(|options| options.api_key = key.clone());
        assert_eq!(server.get("/").await.status(), 200);
        let about: Value = server.get("/about.json").await.json().await.unwrap();
        assert_eq!(about, serde_json::json!({ "server": true, "key": key.is_some() }));
    }
}
