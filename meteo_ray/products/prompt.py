"""What the model is asked and how it answers (R31): our own template, because the `-pt` checkpoint has none.

Gemma knows two turns, user and model; what other models call the system message opens the user turn. A title that was
read on the chart stands before the plan's sentence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transformers import Gemma3Processor

from meteo_ray.vocabulary import Vocabulary

SYSTEM = "你是气象图表分析专家，能够根据图像内容和要素信息准确识别气象产品类型。"
QUESTION = "已识别要素：{elements} | 候选产品：{candidates} | 请选择最匹配的产品类型"
TITLE = "图上标题：{title} | "
SEPARATOR = "、"
NONE_FOUND = "无"
END_OF_TURN = "<end_of_turn>"

# Longer ones are several lines that were taken for one; a chart's title has rarely more than 40 letters.
LONGEST_TITLE = 80
# A stranger's words: what looks like one of the model's own tokens (<end_of_turn>) must not be taken for it.
HARMLESS = str.maketrans({"<": "＜", ">": "＞", "|": "｜"})


def question(
    elements: Iterable[str], candidates: Iterable[str], vocabulary: Vocabulary, title: str | None = None
) -> str:
    """The user's sentence with elements and candidates by their Chinese names. Unknown element ids are left out."""
    known = [vocabulary.element_by_id[name].zh for name in elements if name in vocabulary.element_by_id]
    listed = [vocabulary.product_by_id[name].zh for name in candidates]
    written = " ".join((title or "").translate(HARMLESS).split())[:LONGEST_TITLE]
    asked = QUESTION.format(elements=SEPARATOR.join(known) or NONE_FOUND, candidates=SEPARATOR.join(listed))
    return (TITLE.format(title=written) if written else "") + asked


@dataclass(frozen=True)
class PromptEncoder:
    """Turns questions and answers into token ids with the base model's own tokenizer. Picklable."""

    processor: Gemma3Processor
    vocabulary: Vocabulary

    @property
    def end_of_turn(self) -> int:
        return int(self.processor.tokenizer.convert_tokens_to_ids(END_OF_TURN))

    def prompt(self, elements: Iterable[str], candidates: Iterable[str], title: str | None = None) -> str:
        """The whole text up to where the model speaks, with one image: its soft tokens are already spelled out."""
        return (
            f"{self.processor.tokenizer.bos_token}<start_of_turn>user\n{SYSTEM}"
            f"{self.processor.full_image_sequence}{question(elements, candidates, self.vocabulary, title)}"
            f"{END_OF_TURN}\n<start_of_turn>model\n"
        )

    def encode_prompt(self, elements: Iterable[str], candidates: Iterable[str], title: str | None = None) -> list[int]:
        return self._encode(self.prompt(elements, candidates, title))

    def encode_answer(self, product_id: str) -> list[int]:
        """The product's Chinese name and the end of the turn; never empty, and no answer is the start of another."""
        return [*self._encode(self.vocabulary.product_by_id[product_id].zh), self.end_of_turn]

    def encode_answers(self, product_ids: Sequence[str]) -> list[list[int]]:
        return [self.encode_answer(product_id) for product_id in product_ids]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids
