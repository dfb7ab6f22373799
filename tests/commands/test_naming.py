from optdsl.commands.naming import snake_case


def test_rules_become_modules():
    names = {
        "Mine": "mine",
        "MyAdam": "my_adam",
        "AdamW": "adamw",
        "RMSprop": "rmsprop",
        "ClipByGlobalNorm": "clip_by_global_norm",
        "my-rule.v2": "my_rule_v2",
        "2fast": "rule_2fast",
        "class": "rule_class",
        "…": "rule",
    }
    assert {name: snake_case(name) for name in names} == names
    assert all(module.isidentifier() for module in names.values())
