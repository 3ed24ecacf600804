"""What a high-resolution backbone can be: the values that `backbone.py` builds a network from."""

from typing import Literal, Self

from pydantic import Field, model_validator

from hrnet.settings import Settings


class BackboneSpec(Settings):
    """One HRNet trunk, as a row of the papers' tables (CVPR 2019 section 4; TPAMI tables 14 to 16).

    Stream r (0-based) has stride `4 * 2**r` and `width * 2**r` channels. The defaults are HRNet-W32 as the
    published pose network uses it.
    """

    width: int = Field(default=32, gt=0, description="channels of the high-resolution stream (C in the papers)")
    stage1_blocks: int = Field(default=4, gt=0, description="bottleneck blocks of stage 1")
    stage1_planes: int = Field(
        default=64, gt=0, description="inner channels of stage 1; it puts out four times as many"
    )
    modules: tuple[int, int, int] = Field(default=(1, 4, 3), description="modules of stages 2, 3 and 4")
    blocks: int = Field(default=4, gt=0, description="residual blocks of each stream of a module")
    block: Literal["basic", "bottleneck"] = Field(
        default="basic",
        description="residual block of stages 2 to 4; with bottleneck, width must divide by 4 (TPAMI table 15)",
    )
    outputs: Literal[1, 2, 3, 4] = Field(
        default=1, description="streams that the last exchange unit puts out, finest first"
    )
    upsample: Literal["nearest", "bilinear", "bilinear_aligned"] = Field(
        default="nearest", description="how exchange units enlarge; bilinear_aligned is align_corners=True"
    )
    downsample: Literal["strided", "bilinear"] = Field(default="strided", description="how exchange units shrink")
    exchange: Literal["all", "across_stages", "final"] = Field(
        default="all",
        description="which modules end in an exchange unit: each, the last of each stage, only the very last",
    )
    combine: Literal["sum", "product"] = Field(default="sum", description="how an exchange unit joins the streams")
    streams: Literal["growing", "from_start", "high_resolution"] = Field(
        default="growing", description="one more stream per stage, all four from the start, or only the finest"
    )
    momentum: float = Field(default=0.1, gt=0, le=1, description="batch-norm momentum")
    init: Literal["normal", "kaiming"] = Field(
        default="normal",
        description="convolution weights at the start: N(0, 0.001) as for pose, or Kaiming as for classification",
    )

    def channels(self, stage: int) -> list[int]:
        """Channels of the streams of stage 2, 3 or 4, finest first."""
        count = {"growing": stage, "from_start": 4, "high_resolution": 1}[self.streams]
        return [self.width * 2**r for r in range(count)]

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Refuse what cannot be built."""
        if self.block == "bottleneck" and self.width % 4:
            raise ValueError(f"bottleneck blocks need a width that divides by 4, not {self.width}")
        if self.outputs > len(self.channels(stage=4)):
            raise ValueError(f"{self.streams} has no {self.outputs} streams to put out")
        return self


SMALL_V1 = BackboneSpec(width=16, stage1_blocks=1, stage1_planes=32, modules=(1, 1, 1), blocks=2)
SMALL_V2 = BackboneSpec(width=18, stage1_blocks=2, stage1_planes=64, modules=(1, 3, 2), blocks=2)
