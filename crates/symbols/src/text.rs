//! Types that are kept and sent as text.

/// A text that cannot be parsed. Completes the sentence "the column …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not {0}")]
pub struct TextError(pub(crate) &'static str);

/// Makes serde read and write a type as the text that `FromStr` and `Display` know. Reading checks it.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use crate::{BuildId, DebugId, Sha256, SymbolKey};

    fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, String> {
        let read = T::deserialize(IntoDeserializer::<Error>::into_deserializer(text));
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_read_is_checked() {
        let key = SymbolKey::parse("a.pdb/AB/a.sym").unwrap();
        assert_eq!(read("a.pdb/ab/a.sym"), Ok(key));
        assert_eq!(read("af00"), Ok(BuildId::parse("AF00").unwrap()));
        assert_eq!(
            read::<SymbolKey>("../AB/a").unwrap_err(),
            "has a name that is . or .."
        );
        assert_eq!(
            read::<DebugId>("xyz").unwrap_err(),
            "is not 1 to 64 hexadecimal digits"
        );
        assert!(read::<BuildId>("a").is_err() && read::<Sha256>("ab").is_err());
    }
}
