//! A client of the hub's API.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// A client with a key.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    key: String,
    client: reqwest::Client,
}

impl Api {
    /// The API at `base`, with `key`.
    pub fn new(base: &str, key: &str) -> Self {
        // The hub may close a connection that rests.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap_or_default();
        Self { base: base.to_owned(), key: key.to_owned(), client }
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The body and status of any request.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn raw(&self, method: &str, path: &str, body: Option<Value>) -> Result<(u16, String)> {
        let method = method.parse().context("method")?;
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// What stands there.
    ///
    /// # Errors
    /// No answer, or one that is no success.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let (status, text) = self.raw("GET", path, None).await?;
        ensure!(status == 200, "GET {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Searches.
    ///
    /// # Errors
    /// No answer, or one that is no success.
    pub async fn search(&self, query: &Value) -> Result<Value> {
        let (status, text) = self.raw("POST", "/v1/search", Some(query.clone())).await?;
        ensure!(status == 200, "search {query}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Every document of a source, by path and reference: its id.
    ///
    /// # Errors
    /// No answer, or one that is no success.
    pub async fn documents(&self, source: &str) -> Result<BTreeMap<(String, String), String>> {
        let mut found = BTreeMap::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query =
                json!({"query": "", "mode": "lexical", "limit": 100, "filters": {"source": [source]}});
            if let Some(cursor) = &cursor {
                query["cursor"] = json!(cursor);
            }
            let answer = self.search(&query).await?;
            for hit in answer["hits"].as_array().into_iter().flatten() {
                let text = |key: &str| hit[key].as_str().unwrap_or_default().to_owned();
                let before = found.insert((text("path"), text("reference")), text("document"));
                ensure!(before.is_none(), "{} is visible twice", text("path"));
            }
            cursor = answer["cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }

    /// Whether everything that the agent's status calls acknowledged can be found.
    ///
    /// # Errors
    /// It can't yet, or there is no answer.
    pub async fn caught_up(&self, status: &Value) -> Result<()> {
        let agents = self.get("/v1/agents").await?;
        let id = status["agent"].as_str().unwrap_or_default();
        let agent = agents.as_array().into_iter().flatten().find(|agent| agent["id"] == id);
        let agent = agent.context("the hub does not know the agent")?;
        let processed = |lane: &str| {
            let lanes = agent["lanes"].as_array().into_iter().flatten();
            lanes.filter(|there| there["lane"] == lane).find_map(|there| there["processed"].as_u64())
        };
        let lanes = status["spool"]["lanes"].as_object().context("the agent has no status")?;
        ensure!(agent["epoch"] == status["spool"]["epoch"], "the hub has not seen the agent's epoch");
        let behind = lanes.iter().find(|(lane, there)| processed(lane) < there["acked"].as_u64());
        ensure!(behind.is_none(), "not processed yet: {behind:?}");
        Ok(())
    }
}
