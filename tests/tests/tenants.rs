//! Tenants see nothing of each other, and nobody gets in with what is not theirs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use certus_agent::identity::Identity;
use certus_protocol::frame::{BodyV1, Place};
use certus_protocol::ids::{AgentId, Tenant};
use certus_protocol::message::{GoodbyeReason, Message};
use end_to_end::agent::{Agent, SourceLines};
use end_to_end::frames::in_raw;
use end_to_end::hub::Hub;
use end_to_end::until;
use end_to_end::wire;
use rcgen::{CertificateParams, Issuer, KeyPair, SanType, string::Ia5String};
use serde_json::{Value, json};

struct Two {
    folder: tempfile::TempDir,
    hub: Hub,
    red: Agent,
    blue: Agent,
}

impl Two {
    async fn new() -> Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let hub = Hub::start(&folder.path().join("hub")).await?;
        let red = enrolled(folder.path(), &hub, "red").await?;
        let blue = enrolled(folder.path(), &hub, "blue").await?;
        Ok(Self { folder, hub, red, blue })
    }
}

async fn enrolled(folder: &Path, hub: &Hub, tenant: &str) -> Result<Agent> {
    let input = folder.join(format!("{tenant}-input"));
    fs::create_dir_all(&input)?;
    fs::write(input.join("same.txt"), format!("shared words, and {tenant}words of its own\n"))?;
    fs::write(input.join(format!("only-{tenant}.py")), "shared = 1\n")?;
    let sources = [SourceLines::new("docs", "folder", &input, "reconcile_seconds = 1")];
    let agent = Agent::new(&folder.join(tenant), None, &sources)?;
    agent.enroll(&hub.token(tenant).await?).await?;
    Ok(agent)
}

#[tokio::test]
async fn tenants_see_nothing_of_each_other() -> Result<()> {
    let mut two = Two::new().await?;
    for agent in [&mut two.red, &mut two.blue] {
        agent.run_once()?;
        agent.finish().await?;
    }
    let mut documents = Vec::new();
    for (own, other, agent) in [("red", "blue", &two.red), ("blue", "red", &two.blue)] {
        let api = two.hub.api(own).await?;
        until("the hub to catch up", 30, || async { api.caught_up(&agent.status()).await }).await?;
        let answer = api.search(&json!({"query": "shared", "mode": "lexical", "limit": 50})).await?;
        ensure!(answer["total"] == 2, "{answer}");
        let counts: Vec<&Value> = answer["facets"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|facet| facet["values"].as_array().into_iter().flatten())
            .map(|value| &value["count"])
            .collect();
        ensure!(counts.iter().all(|count| count.as_u64() <= Some(2)), "{answer}");
        let of_other = api.search(&json!({"query": format!("{other}words"), "mode": "lexical"})).await?;
        ensure!(of_other["total"] == 0 && of_other["hits"] == json!([]), "{of_other}");
        for path in ["/v1/sources", "/v1/agents", "/v1/findings", "/v1/quarantine"] {
            let text = api.get(path).await?.to_string();
            let id = if own == "red" { &two.blue } else { &two.red }.status()["agent"].clone();
            ensure!(!text.contains(id.as_str().unwrap_or("?")), "{path} of {own} names {other}'s agent");
        }
        documents.push((api.clone(), api.documents("docs").await?));
    }
    let (red, of_red) = &documents[0];
    let (blue, of_blue) = &documents[1];
    for (api, foreign) in [(red, of_blue), (blue, of_red)] {
        for id in foreign.values() {
            let (status, _) = api.raw("GET", &format!("/v1/documents/{id}"), None).await?;
            ensure!(status == 404, "a foreign document is answered with {status}");
        }
    }
    two.hub.stop().await
}

#[tokio::test]
async fn a_token_enrols_once_and_not_after_its_time() -> Result<()> {
    let mut two = Two::new().await?;
    let token = two.hub.token("red").await?;
    let other = |name: &str| Agent::new(&two.folder.path().join(name), None, &[]);
    other("first")?.enroll(&token).await?;
    let again = other("second")?.enroll(&token).await.unwrap_err().to_string();
    ensure!(again.contains("refused the join token"), "{again}");
    let expired = two.hub.command(&["token", "new", "--tenant", "red", "--ttl", "0s"]).await?;
    let late = other("third")?.enroll(&expired).await.unwrap_err().to_string();
    ensure!(late.contains("refused the join token") && late.contains("expired"), "{late}");
    two.hub.stop().await
}

/// Runs an agent with an identity that is not right, until its link says why it does not get in.
async fn refused(agent: &mut Agent, wanted: &str) -> Result<()> {
    agent.run()?;
    let problem = until("the link to be refused", 40, || async {
        let status = agent.status();
        let problem = status["link"]["problem"].as_str().context("the link has no problem")?;
        ensure!(!problem.contains("has not answered yet"), "{problem}");
        Ok(problem.to_owned())
    })
    .await?;
    agent.kill().await?;
    ensure!(problem.contains(wanted), "the link says: {problem}");
    Ok(())
}

fn identity(agent: &Agent) -> std::path::PathBuf {
    agent.state().join("identity")
}

#[tokio::test]
async fn frames_in_anothers_name_are_refused() -> Result<()> {
    let mut two = Two::new().await?;
    // Red's agent says that it is blue's: its own key and certificate, blue's name in every frame.
    let blue = fs::read_to_string(identity(&two.blue).join("agent.json"))?;
    fs::write(identity(&two.red).join("agent.json"), blue)?;
    refused(&mut two.red, "name different agents or tenants").await?;
    ensure!(in_raw(&two.hub.data())?.is_empty(), "the hub stored a forged frame");

    // And of its own tenant, another agent.
    let own = enrolled(two.folder.path(), &two.hub, "green").await?;
    let mut twin = Agent::new(
        &two.folder.path().join("twin"),
        None,
        &[SourceLines::new("docs", "folder", &two.folder.path().join("green-input"), "")],
    )?;
    twin.enroll(&two.hub.token("green").await?).await?;
    fs::copy(identity(&own).join("agent.json"), identity(&twin).join("agent.json"))?;
    refused(&mut twin, "name different agents or tenants").await?;
    ensure!(in_raw(&two.hub.data())?.is_empty(), "the hub stored a forged frame");
    two.hub.stop().await
}

#[tokio::test]
async fn foreign_and_expired_certificates_get_nothing() -> Result<()> {
    let mut two = Two::new().await?;
    let mut elsewhere = Hub::start(&two.folder.path().join("elsewhere")).await?;
    // Enrolled at another hub, and trusting this one.
    let mut foreign = enrolled(two.folder.path(), &elsewhere, "violet").await?;
    fs::copy(identity(&two.red).join("roots.pem"), identity(&foreign).join("roots.pem"))?;
    let name = fs::read_to_string(identity(&foreign).join("agent.json"))?;
    let ports = (elsewhere.quic.to_string(), two.hub.quic.to_string());
    fs::write(identity(&foreign).join("agent.json"), name.replace(&ports.0, &ports.1))?;
    refused(&mut foreign, "does not accept this agent's certificate").await?;

    // Enrolled here, and trusting the other: the hub is the wrong one.
    let roots = elsewhere.data().join("ca.pem");
    fs::copy(roots, identity(&two.blue).join("roots.pem"))?;
    refused(&mut two.blue, "another CA").await?;

    expire(&two)?;
    refused(&mut two.red, "not valid now").await?;
    ensure!(in_raw(&two.hub.data())?.is_empty(), "the hub stored something");
    elsewhere.stop().await?;
    two.hub.stop().await
}

#[tokio::test]
async fn a_forged_frame_in_a_rightful_session_is_refused() -> Result<()> {
    let mut two = Two::new().await?;
    let red = Identity::load(&two.red.state())?;
    let blue = Identity::load(&two.blue.state())?;
    let twin = enrolled_twin(&two).await?;
    for (tenant, agent) in
        [(blue.tenant, blue.agent), (red.tenant.clone(), twin), (red.tenant.clone(), red.agent)]
    {
        let rightful = agent == red.agent;
        let said = forged(&red, &two.hub, tenant, agent).await?;
        let told = said.iter().any(|message| matches!(message, Message::Goodbye(goodbye) if goodbye.reason == GoodbyeReason::Identity));
        let acked = said.iter().any(|message| matches!(message, Message::Ack(_)));
        ensure!(told != rightful && acked == rightful, "the hub said {said:?}");
        let stored = in_raw(&two.hub.data())?.len();
        ensure!(stored == usize::from(rightful), "the hub stored {stored} frames");
    }
    two.hub.stop().await
}

/// What the hub says to a frame in the name of `agent` in a session of `identity`.
async fn forged(identity: &Identity, hub: &Hub, tenant: Tenant, agent: AgentId) -> Result<Vec<Message>> {
    let place = Place { tenant, agent, ..wire::first_frame(identity) };
    wire::send(identity, hub, place, &BodyV1::Gap { reason: "forged".to_owned() }).await
}

/// Another agent of red's tenant.
async fn enrolled_twin(two: &Two) -> Result<AgentId> {
    let twin = Agent::new(&two.folder.path().join("other-red"), None, &[])?;
    twin.enroll(&two.hub.token("red").await?).await?;
    Ok(Identity::load(&twin.state())?.agent)
}

/// Gives red's agent a certificate of the hub's own CA whose time is over.
fn expire(two: &Two) -> Result<()> {
    let ca = fs::read_to_string(two.hub.data().join("ca.pem"))?;
    let ca_key = KeyPair::from_pem(&fs::read_to_string(two.hub.data().join("secrets/ca.key"))?)?;
    let issuer = Issuer::from_ca_cert_pem(&ca, ca_key)?;
    let file: Value = serde_json::from_str(&fs::read_to_string(identity(&two.red).join("agent.json"))?)?;
    let agent = file["agent"].as_str().context("the agent's id")?;
    let name = format!("spiffe://certus.local/tenant/red/agent/{agent}");
    let mut parameters = CertificateParams::default();
    parameters.subject_alt_names = vec![SanType::URI(Ia5String::try_from(name)?)];
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2020, 2, 1);
    let key = KeyPair::from_pem(&fs::read_to_string(identity(&two.red).join("key.pem"))?)?;
    let certificate = parameters.signed_by(&key, &issuer)?;
    fs::write(identity(&two.red).join("chain.pem"), certificate.pem() + &ca)?;
    Ok(())
}

#[tokio::test]
async fn keys_open_only_what_their_scopes_say() -> Result<()> {
    let mut two = Two::new().await?;
    let key = two.hub.command(&["key", "new", "--tenant", "red", "--scopes", "search"]).await?;
    let api = end_to_end::api::Api::new(&two.hub.api_address()?, &key);
    for (path, wanted) in
        [("/v1/sources", 200), ("/v1/findings", 403), ("/v1/agents", 403), ("/v1/quarantine", 403)]
    {
        let (status, text) = api.raw("GET", path, None).await?;
        ensure!(status == wanted, "{path}: {status} {text}");
    }
    let nobody = end_to_end::api::Api::new(&two.hub.api_address()?, "certus_0000000000000000_00");
    let (status, text) = nobody.raw("GET", "/v1/sources", None).await?;
    ensure!(status == 401 && text.contains("\"status\":401"), "{status} {text}");
    let listed = two.hub.command(&["key", "ls", "--json"]).await?;
    let id = key.split('_').nth(1).context("the key's id")?;
    ensure!(listed.contains(id) && !listed.contains(&key), "{listed}");
    two.hub.command(&["key", "revoke", id]).await?;
    let (status, _) = api.raw("GET", "/v1/sources", None).await?;
    ensure!(status == 401, "a revoked key is answered with {status}");
    two.hub.stop().await
}
