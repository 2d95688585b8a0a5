"""The keys of recipes whose network is a diffusion U-Net."""

from pydantic import NonNegativeInt, PositiveInt, model_validator

from common.recipe import Momentum, Recipe, Widths


class UNetRecipe(Recipe):
    """The U-Net's widths from the finest resolution to the coarsest, each half the one before, and what is in it."""

    block_out_channels: Widths = [16, 32, 64, 128]
    attention_levels: list[NonNegativeInt] = [2, 3]
    layers_per_block: PositiveInt = 1
    patch_size: PositiveInt = 1  # pixels a side that the U-Net takes as one position
    attention_head_dim: PositiveInt = 32
    norm_num_groups: PositiveInt = 8
    dropout: Momentum = 0.0

    @model_validator(mode="after")
    def check_widths(self) -> "UNetRecipe":
        """What types cannot say of widths; the coarsest resolution always has attention."""
        widths = self.block_out_channels
        if "attention_levels" not in self.model_fields_set:
            self.attention_levels = [level for level in self.attention_levels if level < len(widths)]
        levels = self.attention_levels
        if strange := [level for level in levels if level >= len(widths)]:
            raise ValueError(f"key 'attention_levels' expects levels below {len(widths)}, got {strange[0]}")
        if strange := [width for width in widths if width % self.norm_num_groups]:
            raise ValueError(f"key 'block_out_channels' expects multiples of norm_num_groups, got {strange[0]}")
        narrowest = min(widths[level] for level in {*levels, len(widths) - 1})
        if self.attention_head_dim > narrowest:
            message = f"expects at most {narrowest}, the channels where attention is, got {self.attention_head_dim}"
            raise ValueError(f"key 'attention_head_dim' {message}")
        return self
