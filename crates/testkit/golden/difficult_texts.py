"""Texts that tokenizers get wrong, and a small corpus to train tiny tokenizers on."""

import random

# Spelled by users, and by chat templates.
CONTROL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>",
    "<|end_header_id|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>",
]
# Not special, but never cut.
WHOLE = ["<think>", "</think>"]

TEXTS = [
    "a", " ", "  ", "   \n", "\n", "\n\n", "\r\n", "\t", " a", "  a", "a ", "a  ", "▁", "▁a", " ▁ ",
    "Hello, world!", "the hen and the bear", "  two  spaces   and    four ", "line\nline\n\nline\r\n\tend",
    "They're sure she'll land, AREN'T they? WE'RE. o'clock 'tis", "12345 6 78 3.14 1,000,000 ½ ² Ⅷ ١٢٣ १२३",
    "naïve café Ångström ñandú ﬁ ﬃ", "e\u0301 a\u0308\u0323 \u1e69 \u0073\u0323\u0307", "\u212b \u2126 ｆｕｌｌ ｗｉｄｔｈ",
    "Привет, мир! Ёжик", "Γειά σου Κόσμε", "مرحبا بالعالم ـ لا", "שָׁלוֹם עולם", "नमस्ते दुनिया क्षत्रिय", "สวัสดีชาวโลก",
    "你好，世界。東京は寒い。안녕하세요", "𠜎𠜱𡿺 漢字かな交じり文", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🦊🐻 ☃️ ❤", "𝕳𝖊𝖑𝖑𝖔 𝒲", "🇩🇪🇯🇵 1️⃣",
    "\u200b\u200d\u2060\ufeff\u00ad", "\u202eright to left\u202c", "\u00a0\u2003\u3000\u2028\u2029 x",
    "\x00", "\x01\x02\x1b[0m\x7f", "a\x00b\x07c", "\x85\x1c\x1f", "\ufffd\ufffd", "\ufdd0\uffff\U0010ffff", "\ue000\U000f0000",
    "<0x0A> <0x41><0xFF>", "<s>", "</s>", "<unk> <pad>", "a<s>b</s>c", "<s", "s>",
    "<|im_start|>user\nhello<|im_end|>\n", "<|endoftext|>", "x<|endoftext|>y", "<|begin_of_text|><|start_header_id|>system",
    "<start_of_turn>model\nyes<end_of_turn>", "<|im_end", "|im_end|>", "<<|im_end|>|im_end|>", "<think>hm</think>yes", " <think> a </think> b",
    "https://example.org/a?b=c&d=%20#e", "fn main() { println!(\"{}\", a[0] + b->c); }", "...?!--(x)[y]{z}\\|~`^@#$%&*_=+",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ababababab bababa", "HELLO hello HeLLo camelCase snake_case SCREAMING_CASE iPhone",
    "word " * 12, "the forest", "forest",
]

WORDS = """
the hen bear fox forest river and or is was were said ran sat saw house red blue little big they are here there when
hello world light night water stone bird tree sun moon in on of to a not will have they're she'll can't
привет мир дом лес река солнце γειά κόσμε σπίτι 你好 世界 東京 森 水 안녕 하세요 नमस्ते दुनिया مرحبا بالعالم café naïve über
""".split()


def corpus(seed=7, sentences=900):
    """Sentences of random words, the same for the same seed."""
    chance = random.Random(seed)
    lines = []
    for _ in range(sentences):
        words = [chance.choice(WORDS) for _ in range(chance.randint(3, 12))]
        if chance.random() < 0.3:
            words.insert(chance.randint(0, len(words)), str(chance.randint(0, 2000)))
        if chance.random() < 0.5:
            words[0] = words[0].capitalize()
        lines.append(" ".join(words) + chance.choice([".", "!", "?", "", " ..."]))
    return lines
