//! bigvgan
