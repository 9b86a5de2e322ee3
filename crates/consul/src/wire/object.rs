//! Reading JSON's objects by their keys.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Visitor};

/// Structs and the keys that they are read from: those that an object `needs`, and those that it may
/// lack. Go writes what is empty as null, or not at all; that is the field's default. Other keys are
/// passed over.
///
/// What serde derives can read lists, too, in as much code again, of which the agent sends none.
macro_rules! objects {
    ($(
        $(#[$attribute:meta])*
        struct $name:ident {
            needs { $($needed:literal => $need:ident: $need_type:ty),* $(,)? }
            takes { $($taken:literal => $take:ident: $take_type:ty),* $(,)? }
        }
    )*) => {$(
        $(#[$attribute])*
        struct $name {
            $($need: $need_type,)*
            $($take: $take_type,)*
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Members;

                impl<'de> serde::de::Visitor<'de> for Members {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A>(self, mut members: A) -> Result<$name, A::Error>
                    where
                        A: serde::de::MapAccess<'de>,
                    {
                        $(let mut $need: Option<$need_type> = None;)*
                        $(let mut $take: $take_type = Default::default();)*
                        while let Some(key) = members.next_key_seed($crate::wire::object::Key)? {
                            match &*key {
                                $($needed => $need = members.next_value()?,)*
                                $($taken => {
                                    if let Some(value) = members.next_value::<Option<_>>()? {
                                        $take = value;
                                    }
                                })*
                                _ => {
                                    members.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok($name {
                            $($need: $need.ok_or_else(|| {
                                <A::Error as serde::de::Error>::missing_field($needed)
                            })?,)*
                            $($take,)*
                        })
                    }
                }

                from.deserialize_map(Members)
            }
        }
    )*};
}
pub(super) use objects;

/// A key as it stands there, or without its escapes.
pub(super) struct Key;

impl<'de> serde::de::DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    objects! {
        #[derive(Debug, PartialEq)]
        struct Thing {
            needs { "Name" => name: String }
            takes {
                "Tags" => tags: Vec<String>,
                "Port" => port: i64,
            }
        }
    }

    fn read(text: &str) -> Result<Thing, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_may_be_lacking_may_be_null_and_what_is_unknown_is_passed_over() {
        let thing = |tags: &[&str], port| {
            let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
            Ok(Thing { name: "a".to_owned(), tags, port })
        };
        assert_eq!(read(r#"{"Name":"a"}"#), thing(&[], 0));
        assert_eq!(read(r#"{"Tags":null,"Name":"a","Port":null}"#), thing(&[], 0));
        let all = r#"{"Port":7,"More":{"Name":["x"]},"\u004eame":"a","Tags":["b"]}"#;
        assert_eq!(read(all), thing(&["b"], 7));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let fault = |text: &str| read(text).unwrap_err();
        for text in ["{}", r#"{"Name":null}"#, r#"{"name":"a"}"#] {
            assert!(fault(text).starts_with("missing field `Name`"), "{}", fault(text));
        }
        assert!(fault(r#"{"Name":"a","Port":"x"}"#).contains("expected i64"));
        assert!(fault(r#"["a"]"#).contains("expected an object"), "{}", fault(r#"["a"]"#));
    }
}
