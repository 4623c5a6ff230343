//! Where we refuse what Node takes, and why. `docs/COMPAT.md` has the same list; a test compares the two.

use super::codecs::Refusal;

/// A difference that is meant to be. In each we are the stricter side.
#[derive(Debug)]
pub struct Difference {
    /// Its name.
    pub name: &'static str,
    /// What Node takes that is refused here, and why.
    pub what: &'static str,
    /// Whether a refusal is one of these.
    is: fn(codec: &str, refusal: &Refusal) -> bool,
}

/// All of them: at most ten.
pub const ALL: &[Difference] = &[
    Difference {
        name: "bounds",
        what: "lists, names, signatures and manifests that are longer than any honest one",
        is: |_, refusal| {
            refusal.has("TooMany")
                || refusal.has("extension name")
                || refusal.has("signature length")
                || refusal.has("TooLong")
        },
    },
    Difference {
        name: "text",
        what: "names in records and keys that are not UTF-8: Node replaces what is not, and then finds another name",
        is: |_, refusal| refusal.has("InvalidUtf8") || refusal.has("text of a key"),
    },
    Difference {
        name: "boolean",
        what: "a boolean that is neither 0 nor 1",
        is: |codec, refusal| codec == "bool" && refusal.has("boolean"),
    },
    Difference {
        name: "key pair",
        what: "a stored key pair whose halves have another length or do not belong together",
        is: |codec, refusal| codec == "auth" && refusal.has("key pair"),
    },
    Difference {
        name: "manifest version",
        what: "a stored manifest of a version above 3",
        is: |codec, refusal| matches!(codec, "auth" | "manifest-stored") && refusal.has("manifest version"),
    },
    Difference {
        name: "manifest",
        what: "a manifest that asks for more signatures than it has signers, or has fields that its version has not",
        is: |codec, refusal| {
            matches!(codec, "manifest-key" | "verify") && (refusal.has("Quorum") || refusal.has("Field"))
        },
    },
    Difference {
        name: "key number",
        what: "a number in a key that is above 2^53 - 1, or infinite: Node rounds it",
        is: |codec, refusal| codec.starts_with("key-") && refusal.has("TooLarge"),
    },
    Difference {
        name: "trailing bytes",
        what: "bytes after the end of a key, or of a manifest that stands alone",
        is: |codec, refusal| {
            (codec.starts_with("key-") || codec == "manifest-key") && refusal.has("Trailing")
        },
    },
    Difference {
        name: "signature",
        what: "signatures that libsodium takes and the strict check does not",
        is: |codec, refusal| codec == "verify" && refusal.has("Mismatch"),
    },
];

/// The difference that a refusal is.
#[must_use]
pub fn find(codec: &str, refusal: &Refusal) -> Option<&'static Difference> {
    ALL.iter().find(|difference| (difference.is)(codec, refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_at_most_ten_and_compat_md_lists_them() {
        assert!(ALL.len() <= 10);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/COMPAT.md");
        let text = std::fs::read_to_string(path).unwrap();
        let section = text.split("## Where our decoders are stricter").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        for difference in ALL {
            let row = format!("| {} | {} |", difference.name, difference.what);
            assert!(section.contains(&row), "docs/COMPAT.md lacks: {row}");
        }
        assert_eq!(section.matches("\n| ").count(), ALL.len() + 2, "a row for each, and two of the heading");
    }
}
