//! What an agent should not have sent is held back, and goes for good where it is rejected.

use std::fs;

use anyhow::{Context, Result, ensure};
use certus_agent::identity::Identity;
use certus_protocol::envelope::{BodyV1 as Envelope, EnvelopeV1, ResourceKind, ResourceV1};
use certus_protocol::frame::BodyV1;
use certus_protocol::ids::{ContentHash, DocumentId};
use certus_protocol::message::Message;
use end_to_end::agent::Agent;
use end_to_end::hub::Hub;
use end_to_end::leaks::Needles;
use end_to_end::tree::{Random, secrets};
use end_to_end::{until, wire};
use serde_json::json;

fn resource(path: &str, content: &[u8]) -> EnvelopeV1 {
    let resource = ResourceV1 {
        kind: ResourceKind::File,
        path: path.to_owned(),
        reference: String::new(),
        media_type: "text/plain".to_owned(),
        language: String::new(),
        size: content.len() as u64,
        hash: ContentHash::of(content),
        modified_ms: None,
        attributes: Vec::new(),
        redactions: Vec::new(),
        kept: Vec::new(),
        profile: "high-recall".to_owned(),
    };
    let document = DocumentId::derive(&certus_protocol::ids::SourceId([3; 16]), "", path);
    EnvelopeV1 { document, body: Envelope::Whole { resource, content: content.to_vec() } }
}

#[tokio::test]
async fn what_is_rejected_leaves_no_byte_behind() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut hub = Hub::start(&folder.path().join("hub")).await?;
    let agent = Agent::new(&folder.path().join("agent"), None, &[])?;
    agent.enroll(&hub.token("acme").await?).await?;
    let identity = Identity::load(&agent.state())?;
    let planted = secrets(&mut Random::new(9), 1);
    let secret = planted.first().context("a secret")?;
    let bodies = BodyV1::Data {
        source_name: "by hand".to_owned(),
        envelopes: vec![
            resource("clean.txt", b"harmless zebra words"),
            resource("dirty.txt", format!("zebra key {secret} in the open").as_bytes()),
            resource("held.txt", b"zebra mail to somebody@example-corp.io"),
        ],
    };
    let said = wire::send(&identity, &hub, wire::first_frame(&identity), &bodies).await?;
    ensure!(matches!(said.last(), Some(Message::Ack(_))), "the hub said {said:?}");

    let api = hub.api("acme").await?;
    let held = until("two documents to be held back", 30, || async {
        let held = api.get("/v1/quarantine").await?;
        ensure!(held.as_array().is_some_and(|held| held.len() == 2), "{held}");
        Ok(held)
    })
    .await?;
    ensure!(!held.to_string().contains(secret.as_str()), "the list shows the value");
    let zebra = json!({"query": "zebra", "mode": "lexical"});
    ensure!(api.search(&zebra).await?["total"] == 1, "what is held back can be found");

    // Until somebody decides, only raw/ holds the value in the clear.
    let needles = Needles::new(&planted);
    let found = needles.found_under(&hub.data())?;
    ensure!(found.len() == 1 && found[0].0.contains("/raw/"), "{found:?}");

    let entry = |path: &str| {
        let entries = held.as_array().into_iter().flatten();
        entries
            .filter(|entry| entry["path"] == path)
            .find_map(|entry| entry["id"].as_str())
            .map(str::to_owned)
    };
    let decide = async |path: &str, way: &str| -> Result<()> {
        let id = entry(path).context("no such entry")?;
        let reason = json!({"reason": "a test decides"});
        let (status, text) = api.raw("POST", &format!("/v1/quarantine/{id}/{way}"), Some(reason)).await?;
        ensure!(status == 200, "{way} {path}: {status} {text}");
        Ok(())
    };
    decide("dirty.txt", "reject").await?;
    decide("held.txt", "release").await?;
    until("the released document to be found", 30, || async {
        let answer = api.search(&zebra).await?;
        ensure!(answer["total"] == 2, "{answer}");
        Ok(())
    })
    .await?;
    ensure!(needles.found_under(&hub.data())?.is_empty(), "the rejected bytes are still there");
    ensure!(
        api.get("/v1/quarantine").await?.as_array().is_some_and(Vec::is_empty),
        "something is still held"
    );

    // Made anew from raw/, it stays away, and what was released stays.
    let refused = hub.command(&["rebuild"]).await.unwrap_err().to_string();
    ensure!(refused.contains("another certus-hub works on"), "{refused}");
    hub.stop().await?;
    hub.command(&["rebuild"]).await?;
    hub.run().await?;
    let api = hub.api("acme").await?;
    let answer = api.search(&zebra).await?;
    ensure!(answer["total"] == 2, "after a rebuild: {answer}");
    ensure!(needles.found_under(&hub.data())?.is_empty(), "a rebuild brought the bytes back");
    let log = fs::read_to_string(hub.log())?;
    ensure!(needles.found_in(log.as_bytes()).is_empty(), "the log holds the value");
    hub.stop().await
}
