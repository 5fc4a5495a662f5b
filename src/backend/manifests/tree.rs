//! A document as it was read: text borrowed from the file where it stands there as it is.
//!
//! It lives while one document is looked at. What stays is read from it: the fields that rules ask
//! for, or a [`Value`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Number, Value};

/// Members from which a mapping is searched by a table.
const MANY: usize = 32;

/// A value of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Tree<'text> {
    /// Nothing.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number that JSON can write.
    Number(Number),
    /// Text.
    Text(Cow<'text, str>),
    /// A list.
    List(Vec<Tree<'text>>),
    /// A mapping.
    Map(Fields<'text>),
}

/// The members of a mapping in their order, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields<'text> {
    members: Vec<(Cow<'text, str>, Tree<'text>)>,
    /// The places of the members, once there are [`MANY`].
    places: Option<Box<Places<'text>>>,
}

/// Where members stand, by name.
#[derive(Clone, Debug, Default, PartialEq)]
struct Places<'text>(HashMap<Cow<'text, str>, usize>);

impl<'text> Places<'text> {
    fn of(members: &[(Cow<'text, str>, Tree<'text>)]) -> Self {
        Self(members.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect())
    }
}

impl<'text> Fields<'text> {
    fn place(&self, name: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.0.get(name).copied(),
            None => self.members.iter().position(|(known, _)| known == name),
        }
    }

    /// The value of a member.
    pub fn get(&self, name: &str) -> Option<&Tree<'text>> {
        self.place(name).map(|at| &self.members[at].1)
    }

    /// The value of a member, to change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Tree<'text>> {
        self.place(name).map(|at| &mut self.members[at].1)
    }

    /// Sets a member, in its place if it is there; what stood there before.
    pub fn insert(&mut self, name: Cow<'text, str>, value: Tree<'text>) -> Option<Tree<'text>> {
        if let Some(at) = self.place(&name) {
            return Some(std::mem::replace(&mut self.members[at].1, value));
        }
        if let Some(places) = &mut self.places {
            places.0.insert(name.clone(), self.members.len());
        }
        self.members.push((name, value));
        if self.places.is_none() && self.members.len() >= MANY {
            self.places = Some(Box::new(Places::of(&self.members)));
        }
        None
    }

    /// All values, to change.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Tree<'text>> {
        self.members.iter_mut().map(|(_, value)| value)
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) {
        if let Some(at) = self.place(name) {
            self.members.remove(at);
            self.places = self.places.is_some().then(|| Box::new(Places::of(&self.members)));
        }
    }

    /// The members, in order.
    pub fn into_members(self) -> impl Iterator<Item = (Cow<'text, str>, Tree<'text>)> {
        self.members.into_iter()
    }
}

impl<'text> Tree<'text> {
    /// The value of a member; `None` if this is no mapping.
    pub fn get(&self, name: &str) -> Option<&Tree<'text>> {
        self.fields()?.get(name)
    }

    /// The value of a member, to change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Tree<'text>> {
        self.fields_mut()?.get_mut(name)
    }

    /// The members of a mapping.
    pub fn fields(&self) -> Option<&Fields<'text>> {
        match self {
            Self::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// The members of a mapping, to change.
    pub fn fields_mut(&mut self) -> Option<&mut Fields<'text>> {
        match self {
            Self::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// The text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value, and nothing in its place.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

impl From<Tree<'_>> for Value {
    fn from(tree: Tree<'_>) -> Self {
        match tree {
            Tree::Null => Self::Null,
            Tree::Bool(value) => Self::Bool(value),
            Tree::Number(number) => Self::Number(number),
            Tree::Text(text) => Self::String(text.into_owned()),
            Tree::List(items) => items.into_iter().map(Self::from).collect(),
            Tree::Map(fields) => Self::Object(
                fields.members.into_iter().map(|(name, value)| (name.into_owned(), value.into())).collect(),
            ),
        }
    }
}

/// As JSON is read; of a name given twice the last one counts.
impl<'de: 'text, 'text> Deserialize<'de> for Tree<'text> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree<'de>, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree<'de>, E> {
        Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some((name, value)) = map.next_entry()? {
            let Tree::Text(name) = name else { continue };
            fields.insert(name, value);
        }
        Ok(Tree::Map(fields))
    }
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for &'de Tree<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// As `serde_json` reads a [`Value`], with its errors.
impl<'de> Deserializer<'de> for &'de Tree<'_> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(*value),
            Tree::Number(number) => number.deserialize_any(visitor),
            Tree::Text(text) => visitor.visit_borrowed_str(text),
            Tree::List(items) => {
                let mut sequence = SeqDeserializer::new(items.iter());
                let value = visitor.visit_seq(&mut sequence)?;
                sequence.end()?;
                Ok(value)
            }
            Tree::Map(fields) => {
                let members = fields.members.iter().map(|(name, value)| (&**name, value));
                let mut map = MapDeserializer::new(members);
                let value = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self {
            Tree::Text(text) => visitor.visit_enum((&**text).into_deserializer()),
            // No field of the model is an enum with content; the answer is that of any other value.
            _ => Value::from(self.clone()).deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_reads_like_a_value() {
        let many: serde_json::Map<String, Value> = (0..100).map(|n| (format!("k{n}"), n.into())).collect();
        let value = json!({"a": [1, -2, 0.5, null, true], "b": {"c": "é\n", "d": {}}, "many": many});
        let text = value.to_string();
        let tree: Tree<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(Value::deserialize(&tree).unwrap(), value);
        assert_eq!(Value::from(tree.clone()).to_string(), text);
        assert_eq!(tree.get("many").and_then(|many| many.get("k77")), Some(&Tree::Number(77.into())));
        let typed: std::collections::BTreeMap<String, Option<u8>> =
            Deserialize::deserialize(tree.get("many").unwrap()).unwrap();
        assert_eq!(typed["k99"], Some(99));
        let error = Vec::<u8>::deserialize(&tree).unwrap_err();
        assert_eq!(error.to_string(), Vec::<u8>::deserialize(&value).unwrap_err().to_string());
    }

    #[test]
    fn members_are_kept_in_order_and_once() {
        for count in [3, 40] {
            let mut fields = Fields::default();
            for n in 0..count {
                assert!(fields.insert(format!("k{n}").into(), Tree::Bool(false)).is_none());
            }
            assert_eq!(fields.insert("k1".into(), Tree::Bool(true)), Some(Tree::Bool(false)));
            fields.remove("k0");
            assert_eq!(fields.get("k1"), Some(&Tree::Bool(true)));
            assert_eq!((fields.get("k0"), fields.get("k2")), (None, Some(&Tree::Bool(false))));
            let names: Vec<String> = fields.into_members().map(|(name, _)| name.into_owned()).collect();
            assert_eq!(names, (1..count).map(|n| format!("k{n}")).collect::<Vec<_>>());
        }
    }
}
