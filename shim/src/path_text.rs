//! Paths in JSON: as they are where they are text, and otherwise as hexadecimal digits behind a NUL, which
//! no path has in it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

fn encode(path: &Path) -> String {
    path.to_str()
        .map_or_else(|| format!("\0{}", hex::encode(path.as_os_str().as_bytes())), str::to_owned)
}

fn decode<E: serde::de::Error>(text: String) -> Result<PathBuf, E> {
    match text.strip_prefix('\0') {
        Some(digits) => {
            hex::decode(digits).map(|bytes| OsString::from_vec(bytes).into()).map_err(E::custom)
        }
        None => Ok(text.into()),
    }
}

/// One path.
pub(crate) mod one {
    use super::{Path, PathBuf, decode, encode};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&encode(path))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        decode(String::deserialize(from)?)
    }
}

/// Several paths.
pub(crate) mod many {
    use super::{PathBuf, decode, encode};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(|path| encode(path)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        Vec::<String>::deserialize(from)?.into_iter().map(decode).collect()
    }
}
