//! Lists of which there are many, and most have one item.

/// Adds to such a list without making room for more.
pub fn push<T>(list: &mut Vec<T>, item: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(item);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_item_makes_room_for_itself_alone() {
        let mut list = Vec::new();
        super::push(&mut list, 1);
        assert_eq!((list.capacity(), list.as_slice()), (1, &[1][..]));
        super::push(&mut list, 2);
        assert_eq!(list, [1, 2]);
    }
}
