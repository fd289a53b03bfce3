//! emotion_text
