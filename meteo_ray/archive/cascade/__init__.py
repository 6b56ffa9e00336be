"""The Ray Data graph that judges: its operators, the models in them, and what its actors share."""
