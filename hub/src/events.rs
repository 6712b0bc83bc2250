//! What is counted, for `/metrics`. No label holds anything of a tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The hub's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    frames: Counter<u64, AtomicU64>,
    bytes: Counter<u64, AtomicU64>,
    refused_frames: Counter<u64, AtomicU64>,
    refused_connections: Counter<u64, AtomicU64>,
    sessions: Gauge<i64, AtomicI64>,
    processed: Counter<u64, AtomicU64>,
    documents: Counter<u64, AtomicU64>,
    quarantined: Counter<u64, AtomicU64>,
    failed: Counter<u64, AtomicU64>,
    receipts: Counter<u64, AtomicU64>,
    ledgers_broken: Counter<u64, AtomicU64>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("certus_hub");
        let metrics = Self {
            frames: Counter::default(),
            bytes: Counter::default(),
            refused_frames: Counter::default(),
            refused_connections: Counter::default(),
            sessions: Gauge::default(),
            processed: Counter::default(),
            documents: Counter::default(),
            quarantined: Counter::default(),
            failed: Counter::default(),
            receipts: Counter::default(),
            ledgers_broken: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("frames_stored", "Frames made durable in raw/", metrics.frames.clone());
        registry.register_with_unit("frames_stored", "Their bytes", Unit::Bytes, metrics.bytes.clone());
        registry.register(
            "frames_refused",
            "Frames not taken, or bytes that were none",
            metrics.refused_frames.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections without a valid identity",
            metrics.refused_connections.clone(),
        );
        registry.register("sessions", "Agents connected now", metrics.sessions.clone());
        registry.register("frames_processed", "Frames through the pipeline", metrics.processed.clone());
        registry.register("documents", "Document versions made searchable", metrics.documents.clone());
        registry.register(
            "quarantined",
            "Document versions held back by the second scan",
            metrics.quarantined.clone(),
        );
        registry.register(
            "frames_failed",
            "Frames set aside after they failed again and again",
            metrics.failed.clone(),
        );
        registry.register("receipts_signed", "Receipts given to agents", metrics.receipts.clone());
        registry.register(
            "ledgers_broken",
            "Egress ledgers found cut or rewritten",
            metrics.ledgers_broken.clone(),
        );
        Arc::new(Self { registry, ..metrics })
    }

    /// The text for a scraper.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    /// Frames became durable.
    pub fn frames_stored(&self, frames: u64, bytes: u64) {
        self.frames.inc_by(frames);
        self.bytes.inc_by(bytes);
    }

    /// A frame was not taken.
    pub fn frame_refused(&self) {
        self.refused_frames.inc();
    }

    /// A connection was not taken.
    pub fn connection_refused(&self) {
        self.refused_connections.inc();
    }

    /// An agent is connected.
    pub fn session_opened(&self) {
        self.sessions.inc();
    }

    /// One is gone.
    pub fn session_closed(&self) {
        self.sessions.dec();
    }

    /// Frames went through the pipeline and brought so many versions.
    pub fn processed(&self, frames: u64, documents: u64) {
        self.processed.inc_by(frames);
        self.documents.inc_by(documents);
    }

    /// A version was held back.
    pub fn quarantined(&self) {
        self.quarantined.inc();
    }

    /// A frame was set aside.
    pub fn failed(&self) {
        self.failed.inc();
    }

    /// Receipts were given to an agent.
    pub fn receipts_signed(&self, receipts: u64) {
        self.receipts.inc_by(receipts);
    }

    /// An agent's egress ledger was found cut or rewritten.
    pub fn ledger_broken(&self) {
        self.ledgers_broken.inc();
    }
}
