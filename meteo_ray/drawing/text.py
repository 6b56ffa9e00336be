"""Filler text in Chinese and English for pages, screens and captions."""

from functools import lru_cache

import numpy as np
from PIL import ImageFont

from meteo_ray.drawing.style import font_files

_ZH = (
    "系统", "数据", "用户", "配置", "文件", "管理", "服务", "网络", "项目", "说明", "时间", "结果", "模块",
    "分析", "处理", "任务", "目录", "版本", "更新", "测试", "报告", "质量", "运行", "方法", "参数", "设置",
    "接口", "记录", "图像", "检验", "计算", "中心", "部门", "会议", "安全", "资料", "工作", "研究", "发展",
    "进行", "提供", "可以", "需要", "根据", "通过", "以及", "主要", "相关", "使用", "支持", "完成", "包括",
    "如下", "第一", "其中", "为了",
)  # fmt: skip
_EN = (
    "the", "system", "data", "user", "file", "option", "value", "module", "result", "report", "quality",
    "method", "setting", "record", "image", "server", "project", "table", "figure", "section", "note", "with",
    "from", "into", "under", "between", "which", "that", "this", "each", "more", "when", "after", "before",
    "while", "return", "open", "close", "select", "update", "method", "analysis", "output", "input", "window",
    "error", "example", "model", "sample", "version", "local", "remote",
)  # fmt: skip
_CODE = (
    "import numpy as np", "def main(argv=None):", "    for row in rows:", "        total += row.value",
    "    return total", "class Reader:", "    def __init__(self, path):", "        self.path = path",
    "if __name__ == '__main__':", "    main()", "$ ls -la data/", "$ git status", "On branch main",
    "nothing to commit, working tree clean", "$ python run.py --jobs 4", "[INFO] loaded 1024 rows in 0.31 s",
    "[WARN] retrying (2/5)", "Traceback (most recent call last):", "ValueError: bad shape",
    "SELECT id, name FROM users WHERE age > 30;", "drwxr-xr-x  5 root root 4096 Jan  1 10:00 src",
    "const total = items.length;", "{\"name\": \"demo\", \"size\": 42}",
    "100%|##########| 500/500 [00:12<00:00]", "x = np.linspace(0, 1, 100)", "conda activate base",
    "plt.plot(x, y)", "docker run --rm image:latest", "# 读取数据", "print(df.head())",
)  # fmt: skip


@lru_cache(maxsize=64)
def font(size: int, face: int = 0) -> ImageFont.FreeTypeFont:
    """A Chinese face (0 sans, 1 serif, 2 monospaced) of `size` pixels."""
    return ImageFont.truetype(str(font_files()[face]), size)


def sentence(rng: np.random.Generator, chinese: bool, words: int | None = None) -> str:
    words = words or int(rng.integers(5, 16))
    if chinese:
        return "".join(str(word) for word in rng.choice(_ZH, words)) + str(rng.choice(["。", "，", "；", "。"]))
    return " ".join(str(word) for word in rng.choice(_EN, words)).capitalize() + "."


def heading(rng: np.random.Generator, chinese: bool) -> str:
    return sentence(rng, chinese, int(rng.integers(2, 5)))[:-1]


def code_line(rng: np.random.Generator) -> str:
    return str(rng.choice(_CODE))


def wrapped(text: str, width: int, face: ImageFont.FreeTypeFont) -> list[str]:
    """Break `text` into lines no wider than `width` pixels (between letters, as Chinese is set)."""
    lines, line = [], ""
    for letter in text:
        if line and face.getlength(line + letter) > width:
            lines.append(line)
            line = ""
        line += letter
    return [*lines, line]
