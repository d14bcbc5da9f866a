"""How we speak to Tencent: one signer, one error table, typed verbs."""
