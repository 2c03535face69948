"""One file a vendor. `llmconfig.registry` finds them; adding one edits no other file. Vendors never import each other."""
