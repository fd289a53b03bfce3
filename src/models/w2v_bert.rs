//! w2v_bert
