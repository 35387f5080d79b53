//! Why content was not to be had, source by source.

use std::fmt;

use assay_protocol::InvalidReason;
use cid::Cid;

use crate::{CidError, HttpError, StoreError, UnpackError, car::CarError};

/// Why one source did not help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Its CAR cannot be used.
    #[error("{0}")]
    Car(Box<CarError>),
    /// Its block is not the one asked for.
    #[error("{0}")]
    Block(Box<CidError>),
    /// It gave everything but this.
    #[error("block {cid} is missing there")]
    Missing {
        /// The block.
        cid: Box<Cid>,
    },
    /// What it gave is verified and enough to tell that it is no package.
    #[error("{0}")]
    Content(Box<UnpackError>),
    /// This process is shutting down.
    #[error("the work was cancelled by shutdown")]
    Cancelled,
}

impl SourceError {
    /// Whether the source sent bytes under a CID that is not theirs.
    #[must_use]
    pub fn is_lie(&self) -> bool {
        match self {
            Self::Car(error) => matches!(**error, CarError::Cid(CidError::Mismatch { .. })),
            Self::Block(error) => matches!(**error, CidError::Mismatch { .. }),
            _ => false,
        }
    }

    /// Whether the source looked and did not find the content, or not in time: all else says something about the source, and
    /// nothing about the content. What is no source of content at all may say so, too: see [`super::Fetcher::probe`].
    #[must_use]
    pub const fn says_absent(&self) -> bool {
        const GATEWAY_TIMEOUT: u16 = 504;
        match self {
            Self::Missing { .. } => true,
            Self::Http(HttpError::Status { status, .. }) => *status == GATEWAY_TIMEOUT,
            Self::Http(error) => matches!(error, HttpError::NotFound | HttpError::Silent { .. } | HttpError::Deadline),
            _ => false,
        }
    }

    pub(super) const fn late() -> Self {
        Self::Http(HttpError::Deadline)
    }
}

impl From<CarError> for SourceError {
    fn from(error: CarError) -> Self {
        Self::Car(Box::new(error))
    }
}

/// What one source said.
#[derive(Debug)]
pub struct SourceReport {
    /// The source, by scheme, host and port.
    pub source: String,
    /// Why it did not help.
    pub error: SourceError,
}

impl fmt::Display for SourceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.error)
    }
}

/// Why content could not be fetched.
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// No source had it, or none gave it in time.
    Unavailable {
        /// The content.
        cid: Cid,
        /// Every source that was asked and what it said; empty when none is configured.
        reports: Vec<SourceReport>,
    },
    /// It is there, and it is not a package.
    Content {
        /// The content.
        cid: Cid,
        /// What is wrong with it.
        source: Box<UnpackError>,
    },
    /// A source cannot be used at all.
    Source {
        /// Its address.
        source: String,
        /// Why not.
        error: HttpError,
    },
    /// The local store failed.
    Store(StoreError),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { cid, reports } if reports.is_empty() => {
                write!(f, "fetch {cid}: it is not in the local store and no source is configured; add one")
            }
            Self::Unavailable { cid, reports } => {
                write!(f, "fetch {cid}: no source gave it")?;
                reports.iter().try_for_each(|report| write!(f, "; {report}"))
            }
            Self::Content { cid, source } => write!(f, "fetch {cid}: {source}"),
            Self::Source { source, error } => write!(f, "use content source {source}: {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Content { source, .. } => Some(source),
            Self::Source { error, .. } => Some(error),
            Self::Store(error) => std::error::Error::source(error),
            Self::Unavailable { .. } => None,
        }
    }
}

impl From<StoreError> for FetchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl FetchError {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { reports, .. } => !reports.is_empty(),
            Self::Store(error) => error.is_retryable(),
            Self::Content { .. } | Self::Source { .. } => false,
        }
    }

    /// Whether there are sources, and each that was asked looked and did not find the content ([`SourceError::says_absent`]).
    #[must_use]
    pub fn says_absent(&self) -> bool {
        match self {
            Self::Unavailable { reports, .. } => {
                !reports.is_empty() && reports.iter().all(|report| report.error.says_absent())
            }
            _ => false,
        }
    }

    /// The outcome's reason when the content itself is at fault; `None` is a host fault, never signed.
    #[must_use]
    pub fn invalid_reason(&self) -> Option<InvalidReason> {
        match self {
            Self::Content { source, .. } => source.invalid_reason(),
            _ => None,
        }
    }
}
