//! Trees of files: what goes into a run and comes out of it.

use assay_runtime::{FileTree, Node, PathError};

#[test]
fn hostile_paths_are_refused_and_change_nothing() {
    let mut tree = FileTree::new();
    tree.insert_file("a/b", *b"x").unwrap();
    let long = "n".repeat(256);
    let deep = vec!["d"; 65].join("/");
    let wide = vec!["n".repeat(200); 6].join("/");
    for (path, error) in [
        ("", PathError::Empty),
        ("a//b", PathError::Empty),
        ("a/", PathError::Empty),
        ("/a", PathError::Absolute),
        ("..", PathError::Dots),
        ("a/../b", PathError::Dots),
        ("./a", PathError::Dots),
        ("a\\b", PathError::Character),
        ("a\0b", PathError::Character),
        ("a\nb", PathError::Character),
        ("a\u{202e}b\u{9b}", PathError::Character),
        (long.as_str(), PathError::TooLong),
        (&deep, PathError::TooLong),
        (&wide, PathError::TooLong),
        ("a", PathError::Conflict),
        ("a/b/c", PathError::Conflict),
    ] {
        let before = tree.clone();
        assert_eq!(tree.insert_file(path, *b"y"), Err(error), "{path:?}");
        assert_eq!(tree, before);
    }
    assert_eq!(tree.insert_directory("a/b"), Err(PathError::Conflict));
}

#[test]
fn parents_come_with_their_children() {
    let mut tree = FileTree::new();
    assert!(tree.is_empty());
    tree.insert_file("a/b/c.txt", *b"four").unwrap();
    tree.insert_directory("a/empty").unwrap();
    tree.insert_file("a/b/c.txt", *b"newer").unwrap();
    let paths: Vec<_> = tree.iter().map(|(path, node)| (path, matches!(node, Node::Directory))).collect();
    assert_eq!(paths, [("a", true), ("a/b", true), ("a/b/c.txt", false), ("a/empty", true)]);
    assert_eq!((tree.len(), tree.file_bytes()), (4, 5));
    assert_eq!(tree.file("a/b/c.txt").unwrap().as_ref(), b"newer");
    assert!(tree.file("a/b").is_none() && tree.get("a/b") == Some(&Node::Directory) && tree.get("x").is_none());
}
