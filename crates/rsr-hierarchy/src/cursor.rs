//! Cursors: where an answer stopped, signed so that nobody can ask from a place they were not given.

use std::fmt::{self, Debug, Write as _};
use std::num::NonZeroU32;

use hmac::{Hmac, KeyInit, Mac};
use rsr_base::ProjectId;
use sha2::Sha256;

use crate::{ChildrenRequest, Key, SORT_TEXT_MAX_CHARS, Waypoint};

const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;
/// Version, id, whether there is a value; the value follows.
const HEAD_BYTES: usize = 1 + 8 + 1;
const CURSOR_MAX_BYTES: usize = MAC_BYTES + HEAD_BYTES + SORT_TEXT_MAX_CHARS * 4;

/// The secret that signs cursors. Whoever starts the service makes one; all of its processes share it.
#[derive(Clone)]
pub struct CursorKey([u8; 32]);

impl Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey(secret)")
    }
}

/// Why a cursor was refused. Which of the reasons it was is no help to anyone who did not forge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// Not the text of any cursor.
    #[error("is not a cursor: take the one of the answer before, or leave it out to begin")]
    Malformed,
    /// Made by another key, changed, or made for another project, filter or sort.
    #[error("does not belong to this project, filter and sort")]
    Foreign,
}

impl CursorKey {
    /// A key of 32 secret bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The cursor that goes on after `last` in the answers to this question, whatever its limit, depth or cursor.
    /// Letters and digits only, at most 852 of them.
    #[must_use]
    pub fn seal(&self, last: &Key, request: &ChildrenRequest) -> String {
        let mut payload = Vec::with_capacity(HEAD_BYTES);
        payload.push(VERSION);
        payload.extend_from_slice(&last.id.0.to_be_bytes());
        payload.push(u8::from(last.value.is_some()));
        payload.extend_from_slice(last.value.as_deref().unwrap_or_default().as_bytes());
        text_of(self.mac(&payload, request), &payload)
    }

    /// The cursor that goes on after `last` in the stream of everything below a project, to this depth. 66 letters and
    /// digits.
    #[must_use]
    pub fn seal_stream(
        &self,
        last: &Waypoint,
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
    ) -> String {
        let mut payload = vec![VERSION];
        payload.extend_from_slice(&last.id.0.to_be_bytes());
        payload.extend_from_slice(&last.parent.0.to_be_bytes());
        text_of(self.stream_mac(&payload, project, depth_max), &payload)
    }

    /// Where a stream stopped, if the cursor was sealed for this project and depth by this key.
    ///
    /// # Errors
    ///
    /// [`CursorError`]: the client must read the stream from its start.
    pub fn open_stream(
        &self,
        text: &str,
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
    ) -> Result<Waypoint, CursorError> {
        let bytes = decode_hex(text).ok_or(CursorError::Malformed)?;
        let (tag, payload) = bytes
            .split_at_checked(MAC_BYTES)
            .ok_or(CursorError::Malformed)?;
        self.stream_mac(payload, project, depth_max)
            .verify_truncated_left(tag)
            .map_err(|_differs| CursorError::Foreign)?;
        let [VERSION, ids @ ..] = payload else {
            return Err(CursorError::Malformed);
        };
        let mut ids = ids.chunks_exact(8).map(|id| {
            let id = <[u8; 8]>::try_from(id).map_err(|_length| CursorError::Malformed)?;
            Ok(ProjectId(i64::from_be_bytes(id)))
        });
        let mut id = || ids.next().unwrap_or(Err(CursorError::Malformed));
        Ok(Waypoint {
            id: id()?,
            parent: id()?,
        })
    }

    /// The key a cursor names, if it was sealed for this question by this key.
    ///
    /// # Errors
    ///
    /// [`CursorError`]: the client must start from the first answer again.
    pub fn open(&self, text: &str, request: &ChildrenRequest) -> Result<Key, CursorError> {
        let bytes = decode_hex(text).ok_or(CursorError::Malformed)?;
        let (tag, payload) = bytes
            .split_at_checked(MAC_BYTES)
            .ok_or(CursorError::Malformed)?;
        self.mac(payload, request)
            .verify_truncated_left(tag)
            .map_err(|_differs| CursorError::Foreign)?;
        let (head, value) = payload
            .split_at_checked(HEAD_BYTES)
            .ok_or(CursorError::Malformed)?;
        let &[VERSION, ref id @ .., has_value] = head else {
            return Err(CursorError::Malformed);
        };
        let id = <[u8; 8]>::try_from(id).map_err(|_length| CursorError::Malformed)?;
        let value = match has_value {
            0 => None,
            _ => Some(
                String::from_utf8(value.to_vec()).map_err(|_not_text| CursorError::Malformed)?,
            ),
        };
        Ok(Key {
            value,
            id: ProjectId(i64::from_be_bytes(id)),
        })
    }

    fn stream_mac(
        &self,
        payload: &[u8],
        project: ProjectId,
        depth_max: Option<NonZeroU32>,
    ) -> Hmac<Sha256> {
        let mut mac = self.keyed();
        mac.update(b"rsr descendants cursor");
        mac.update(&project.0.to_be_bytes());
        mac.update(&depth_max.map_or(0, NonZeroU32::get).to_be_bytes());
        mac.update(payload);
        mac
    }

    fn keyed(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("a key of any length fits")
    }

    fn mac(&self, payload: &[u8], request: &ChildrenRequest) -> Hmac<Sha256> {
        let mut mac = self.keyed();
        let filter = request.filter.fingerprint();
        let sort = request.sort;
        mac.update(b"rsr children cursor");
        mac.update(&request.project.0.to_be_bytes());
        mac.update(&[u8::from(sort.descending)]);
        mac.update(sort.field.name().as_bytes());
        mac.update(&[0]);
        mac.update(&(filter.len() as u64).to_be_bytes());
        mac.update(&filter);
        mac.update(payload);
        mac
    }
}

/// Cursors into other lists, whose order is that of their ids.
impl CursorKey {
    /// The cursor that goes on after the id `last` in the answers to `question`: whatever names the list, its filter and
    /// its order.
    #[must_use]
    pub fn seal_id(&self, last: i64, question: &str) -> String {
        let payload = last.to_be_bytes();
        text_of(self.id_mac(payload, question), &payload)
    }

    /// The id a cursor names, if it was sealed for this question by this key.
    ///
    /// # Errors
    ///
    /// [`CursorError`]: the client must start from the first answer again.
    pub fn open_id(&self, text: &str, question: &str) -> Result<i64, CursorError> {
        let bytes = decode_hex(text).ok_or(CursorError::Malformed)?;
        let (tag, payload) = bytes
            .split_at_checked(MAC_BYTES)
            .ok_or(CursorError::Malformed)?;
        let payload = <[u8; 8]>::try_from(payload).map_err(|_length| CursorError::Malformed)?;
        self.id_mac(payload, question)
            .verify_truncated_left(tag)
            .map_err(|_differs| CursorError::Foreign)?;
        Ok(i64::from_be_bytes(payload))
    }

    fn id_mac(&self, payload: [u8; 8], question: &str) -> Hmac<Sha256> {
        let mut mac = self.keyed();
        mac.update(b"rsr list cursor");
        mac.update(&(question.len() as u64).to_be_bytes());
        mac.update(question.as_bytes());
        mac.update(&payload);
        mac
    }
}

/// The start of the tag and what it is of, as text.
fn text_of(mac: Hmac<Sha256>, payload: &[u8]) -> String {
    let tag = mac.finalize().into_bytes();
    let mut text = String::with_capacity(2 * (MAC_BYTES + payload.len()));
    for byte in tag.iter().take(MAC_BYTES).chain(payload) {
        write!(text, "{byte:02x}").expect("a String takes whatever is written to it");
    }
    text
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 2 * CURSOR_MAX_BYTES {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}
