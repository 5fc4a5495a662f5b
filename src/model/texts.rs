//! Maps of few texts, in the memory that these take.

use std::fmt;

use litemap::LiteMap;
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};

/// A map of texts, sorted: labels, annotations, data.
pub type Texts = LiteMap<String, String>;

/// Reads a map of texts, in which the API takes `null` for an empty text.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Texts, D::Error> {
    /// One map, built as it is read.
    struct Map;

    impl<'de> Visitor<'de> for Map {
        type Value = Texts;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Texts::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::with_capacity(entries.size_hint().unwrap_or_default().min(16));
            while let Some((key, text)) = entries.next_entry::<String, Option<String>>()? {
                all.push((key, text.unwrap_or_default()));
            }
            // Of a key given twice the last one counts.
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            all.reverse();
            all.dedup_by(|(a, _), (b, _)| a == b);
            all.reverse();
            Ok(Texts::from_sorted_store_unchecked(all))
        }
    }

    deserializer.deserialize_any(Map)
}
