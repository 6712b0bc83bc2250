//! SARIF → findings: each arrival of a report is kept as an object of its own, the present state is folded from them.
//!
//! A report is a document; its arrivals stand under `state/findings/<tenant>/<document>/<version>`, in order. What the newest
//! arrival holds is open, what an earlier one held and it does not is fixed. Arrivals may come in any order and again.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use certus_protocol::ids::{ContentHash, DocumentId, SourceId, Tenant, Version};
use serde::{Deserialize, Serialize};

use crate::golden::Golden;
use crate::objects::{Condition, Key, Objects, ObjectsError};
use crate::state::StateError;

mod sarif;

/// Why findings could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindingsError {
    /// The store's.
    #[error(transparent)]
    State(#[from] StateError),
    /// An arrival that can't be read.
    #[error("findings {0} can't be read")]
    Damaged(Key),
}

impl From<ObjectsError> for FindingsError {
    fn from(error: ObjectsError) -> Self {
        Self::State(error.into())
    }
}

/// One result of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ToolResult {
    /// What it is known by from arrival to arrival.
    #[schema(value_type = String)]
    pub fingerprint: ContentHash,
    /// The tool's name.
    pub tool: String,
    /// The tool's version.
    pub tool_version: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's name, where it has one.
    pub rule_name: String,
    /// `error`, `warning`, `note` or `none`.
    pub level: String,
    /// `critical`, `high`, `medium` or `low`, from `security-severity` or the level.
    pub severity: String,
    /// What the tool says.
    pub message: String,
    /// Every location, the first first.
    pub locations: Vec<Location>,
    /// Other places that it mentions.
    pub related: Vec<Location>,
    /// Its code flows, as SARIF has them.
    #[schema(value_type = Vec<Object>)]
    pub code_flows: Vec<serde_json::Value>,
    /// Tags of the rule, such as `external/cwe/cwe-79`.
    pub tags: Vec<String>,
    /// The tool's own fingerprints.
    pub fingerprints: BTreeMap<String, String>,
    /// Whether the tool says that it is suppressed in the source.
    pub suppressed: bool,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Location {
    /// Path or URI.
    pub path: String,
    /// First line, from 1.
    pub start_line: Option<u64>,
    /// Last line.
    pub end_line: Option<u64>,
    /// First column, from 1.
    pub start_column: Option<u64>,
    /// Text there, as the tool showed it.
    pub snippet: Option<String>,
    /// The function or other thing that it is in.
    pub logical: Option<String>,
}

/// One arrival of a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Arrival {
    source: SourceId,
    source_name: String,
    report: String,
    version: Version,
    diagnostics: Vec<String>,
    results: Vec<ToolResult>,
}

/// A finding as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Finding {
    /// Its id.
    pub id: String,
    /// `open`, `fixed` or `reopened`.
    pub state: &'static str,
    /// The report that it is in.
    pub report: String,
    /// The report's document.
    pub document: String,
    /// The report's source.
    pub source: String,
    /// Arrivals in which it was seen.
    pub arrivals: u32,
    /// How many results of the newest such arrival are this one.
    pub occurrences: u32,
    /// What the tool said last.
    #[serde(flatten)]
    pub result: ToolResult,
}

/// Keeps an arrival of a report, or its deletion; everything else passes.
///
/// # Errors
/// See [`FindingsError`].
pub async fn take(objects: &Arc<dyn Objects>, tenant: &Tenant, golden: &Golden) -> Result<(), FindingsError> {
    let arrival = match &golden.content {
        Some(content) if content.kind == "sarif" => {
            let text = content.text.clone();
            let read = tokio::task::spawn_blocking(move || sarif::read(&text)).await;
            let (results, diagnostics) =
                read.unwrap_or_else(|_| (Vec::new(), vec!["reading it failed".to_owned()]));
            Arrival {
                source: content.source,
                source_name: content.source_name.clone(),
                report: content.path.clone(),
                version: golden.version,
                diagnostics,
                results,
            }
        }
        Some(_) => return Ok(()),
        None => {
            let Some(before) = arrivals(objects, tenant, golden.document).await?.pop() else { return Ok(()) };
            Arrival { version: golden.version, results: Vec::new(), diagnostics: Vec::new(), ..before }
        }
    };
    let name = key(tenant, golden.document, golden.version)?;
    let damaged = || FindingsError::Damaged(name.clone());
    let json = serde_json::to_vec(&arrival).map_err(|_| damaged())?;
    let bytes = zstd::bulk::compress(&json, 1).map_err(|_| damaged())?;
    let _written = objects.put(&name, Bytes::from(bytes), Condition::Always).await?;
    Ok(())
}

/// Takes an arrival away, as if it had never come.
///
/// # Errors
/// The store's.
pub async fn erase(
    objects: &Arc<dyn Objects>,
    tenant: &Tenant,
    document: DocumentId,
    version: Version,
) -> Result<(), StateError> {
    Ok(objects.delete(&key(tenant, document, version)?).await?)
}

/// All findings of a tenant, by report and then in the report's order, fixed ones last.
///
/// # Errors
/// See [`FindingsError`].
pub async fn all(objects: &Arc<dyn Objects>, tenant: &Tenant) -> Result<Vec<Finding>, FindingsError> {
    let prefix = format!("state/findings/{tenant}/");
    let mut reports: Vec<DocumentId> = Vec::new();
    let mut after: Option<Key> = None;
    loop {
        let keys = objects.list(&prefix, after.as_ref(), 1_000).await?;
        for key in &keys {
            let document = key.as_str()[prefix.len()..].split('/').next().and_then(|id| id.parse().ok());
            if let Some(document) = document.filter(|document| reports.last() != Some(document)) {
                reports.push(document);
            }
        }
        match keys.last() {
            Some(last) if keys.len() == 1_000 => after = Some(last.clone()),
            _ => break,
        }
    }
    let mut findings = Vec::new();
    for report in reports {
        findings.extend(fold(report, &arrivals(objects, tenant, report).await?));
    }
    Ok(findings)
}

async fn arrivals(
    objects: &Arc<dyn Objects>,
    tenant: &Tenant,
    report: DocumentId,
) -> Result<Vec<Arrival>, FindingsError> {
    let mut found = Vec::new();
    for name in objects.list(&format!("state/findings/{tenant}/{report}/"), None, 10_000).await? {
        let Some(object) = objects.get(&name).await? else { continue };
        let damaged = || FindingsError::Damaged(name.clone());
        let size =
            zstd::zstd_safe::get_frame_content_size(&object.bytes).ok().flatten().unwrap_or(0) as usize;
        let size = size.min(4 * crate::limits::TEXT_BYTES_MAX);
        let json = zstd::bulk::decompress(&object.bytes, size).map_err(|_| damaged())?;
        found.push(serde_json::from_slice(&json).map_err(|_| damaged())?);
    }
    Ok(found)
}

/// The present state, from the arrivals in order.
fn fold(report: DocumentId, arrivals: &[Arrival]) -> Vec<Finding> {
    let mut order: Vec<ContentHash> = Vec::new();
    let mut known: BTreeMap<ContentHash, Finding> = BTreeMap::new();
    for arrival in arrivals {
        for finding in known.values_mut().filter(|finding| finding.state != "fixed") {
            finding.state = "gone";
        }
        let mut seen: BTreeMap<ContentHash, u32> = BTreeMap::new();
        for result in &arrival.results {
            *seen.entry(result.fingerprint).or_default() += 1;
        }
        for result in &arrival.results {
            let Some(occurrences) = seen.remove(&result.fingerprint) else { continue };
            let before = known.get(&result.fingerprint);
            let state = match before.map(|finding| finding.state) {
                Some("fixed" | "reopened") => "reopened",
                _ => "open",
            };
            if before.is_none() {
                order.push(result.fingerprint);
            }
            let arrivals = before.map_or(0, |finding| finding.arrivals) + 1;
            let finding = Finding {
                id: format!("{report}-{}", &result.fingerprint.to_string()[..16]),
                state,
                report: arrival.report.clone(),
                document: report.to_string(),
                source: arrival.source_name.clone(),
                arrivals,
                occurrences,
                result: result.clone(),
            };
            known.insert(result.fingerprint, finding);
        }
        for finding in known.values_mut().filter(|finding| finding.state == "gone") {
            finding.state = "fixed";
        }
    }
    let mut findings: Vec<Finding> =
        order.iter().filter_map(|fingerprint| known.remove(fingerprint)).collect();
    findings.sort_by_key(|finding| finding.state == "fixed");
    findings
}

fn key(tenant: &Tenant, document: DocumentId, version: Version) -> Result<Key, ObjectsError> {
    Key::new(format!("state/findings/{tenant}/{document}/{:016x}", version.as_u64()))
}
