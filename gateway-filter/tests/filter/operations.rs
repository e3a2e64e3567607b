//! What operators do with a running filter: ask whether it lives and is ready, read its metrics, change
//! its settings and its keys without a stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use gateway_filter::{
    Filter, Hangups, Listener, Live, Metrics, Reread, Settings, Shutdown, monitor, reload,
};
use http::StatusCode;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::city::{MemoryVault, SETTINGS, filter};

async fn asked(address: std::net::SocketAddr, path: &str) -> (StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client
        .get(format!("http://{address}{path}").parse().unwrap())
        .await
        .unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_is_the_vaults_and_life_is_the_filters() {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = listener.address();
    let vault_is_ready = Arc::new(AtomicBool::new(false));
    let asked_vault = vault_is_ready.clone();
    let readiness = move || {
        let ready = asked_vault.load(Ordering::Relaxed);
        async move { ready }
    };
    let (shutdown, begun) = Shutdown::channel();
    let metrics = Arc::new(Metrics::default());
    let desk = tokio::spawn(monitor::serve(listener, metrics, readiness, begun));
    assert_eq!(asked(address, "/live").await.0, StatusCode::OK);
    let (status, text) = asked(address, "/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("the vault"));
    vault_is_ready.store(true, Ordering::Relaxed);
    assert_eq!(asked(address, "/ready").await.0, StatusCode::OK);
    let (status, page) = asked(address, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("jinku_filter_messages_under_way 0"), "{page}");
    assert!(page.ends_with("# EOF\n"));
    assert_eq!(asked(address, "/else").await.0, StatusCode::NOT_FOUND);
    shutdown.send(true).unwrap();
    desk.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

fn reread(file: &Path, vault: &MemoryVault) -> Result<Reread<MemoryVault>, String> {
    let settings = Settings::load(file).map_err(|error| error.to_string())?;
    Ok(Reread {
        files: settings.files(),
        filter: Filter::new(settings.rules, vault.clone()),
    })
}

fn text(routes: &str) -> String {
    let text = SETTINGS
        .replace("LIMITS", "")
        .replace("EXTPROC", "")
        .replace("PROXY", "upstream = \"http://127.0.0.1:1\"")
        .replace("VAULT", "1");
    text + routes
}

#[tokio::test]
async fn settings_are_read_again_when_their_file_changes_and_the_last_good_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("filter.toml");
    std::fs::write(&file, text("")).unwrap();
    let vault = MemoryVault::default();
    let live = Arc::new(Live::from(Arc::new(filter(&vault, ""))));
    let (shutdown, begun) = Shutdown::channel();
    let (watched, watch) = (live.clone(), reload::Watch::new(file.clone(), Vec::new()));
    let watching = tokio::spawn(async move {
        let read = |file: &Path| reread(file, &vault);
        watch.run(&watched, read, Hangups::Ours, begun).await
    });
    let counted = async |line: &str| {
        while !live.metrics().page().contains(line) {
            // pacing: the file is looked at every two seconds
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let before = live.now();
    let routes = before.rules().routes().len();
    std::fs::write(&file, text("[[route]]\nname = \"broken\"\n")).unwrap();
    counted("jinku_filter_reloads_total{outcome=\"refused\"} 1").await;
    assert_eq!(live.now().rules().routes().len(), routes);
    let more = "[[route]]\nname = \"more\"\npath = \"/more\"\ndomain = \"city\"\n";
    std::fs::write(&file, text(more)).unwrap();
    counted("jinku_filter_reloads_total{outcome=\"ok\"} 1").await;
    assert_eq!(live.now().rules().routes().len(), routes + 1);
    // A message that began before keeps what it began with.
    assert_eq!(before.rules().routes().len(), routes);
    shutdown.send(true).unwrap();
    watching.await.unwrap().unwrap();
}
