"""What recipes of bottom-up pose answer about themselves."""

import hrnet


def test_engines_are_compared_on_pictures_no_larger_than_in_training():
    recipe = hrnet.recipe("pose_bottomup/higher_w32_512")
    for asked, shown in {0: 512, 256: 256, 1536: 512}.items():
        assert recipe.override({"testing.input_size": asked}).probed.testing.input_size == shown
