"""The portrait on paper: a tagged PDF made by typst from the same document as the pages, without any system font."""
