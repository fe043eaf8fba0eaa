"""Make a unigram tokenizer that rewrites texts by a table, as T5's does, and what transformers makes of texts with it.

    pip install -r requirements.txt && python make_rewritten.py

Writes `tokenizers/rewritten.gguf`, `tokenizers/rewritten.json` (what a folder has as `tokenizer.json`) and
`tokenizers/rewritten-golden.json`. The table is small; T5's own has a hundred thousand bytes.
"""

import io
import json
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, normalizers, processors

import make_tokenizers
from difficult_texts import TEXTS, WHOLE, corpus
from make_tokenizers import FOLDER

RULES = {
    "ﬁ": "fi", "①": "1", "Ａ": "A", "Ｂ": "B", "e\u0301": "é", "\u3000": " ", "\u00a0": " ", "\t": " ", "\n": " ",
    "\u200b": "", "\u00ad": "", "…": "...", "™": "TM", "㌀": "アパート",
}
MORE = [
    "Ａ ﬁne ﬁre…", "①②Ａ", "cafe\u0301 e\u0301e\u0301", "the\u3000hen\u00a0ran", "\u200bthe\u200bhen\u200b", "\u00ad",
    "\u00ad\u200b", "™\u200bg", "㌀㌀", "a\tb\nc", "…", "Ａ\u0301",
]


def main():
    table = write(FOLDER / "rewritten.gguf")
    loaded = make_tokenizers.load(FOLDER / "rewritten.gguf")
    # Of a GGUF file transformers does not read the table.
    loaded.backend_tokenizer.normalizer = normalizers.Precompiled(table)
    texts = [*TEXTS, *MORE]
    reference = make_tokenizers.unigram_reference(loaded)
    ids = [reference(text)["input_ids"] for text in texts]
    write_json(FOLDER / "rewritten.json", loaded)
    golden = {"texts": texts, "ids": ids, "end": loaded.eos_token_id, "table": list(table)}
    text = json.dumps(golden, ensure_ascii=True, separators=(",", ":"))
    (FOLDER / "rewritten-golden.json").write_text(text + "\n")
    print(len(table), "bytes of table,", sum(path.stat().st_size for path in FOLDER.glob("rewritten*")), "in all")


def write(path):
    """SentencePiece's unigram model with the table; returns the table."""
    tokens, scores, kinds, table = train()
    made = make_tokenizers.writer(path, "t5", "default", tokens, scores, kinds)
    made.add_eos_token_id(tokens.index("</s>"))
    made.add_unk_token_id(tokens.index("<unk>"))
    made.add_precompiled_charsmap(table)
    make_tokenizers.finish(made)
    return table


def train():
    model, hexadecimal = io.BytesIO(), lambda text: " ".join(f"{ord(letter):X}" for letter in text)
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write("".join(f"{hexadecimal(old)}\t{hexadecimal(new)}\n" for old, new in RULES.items()))
        rules.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus()), model_writer=model, num_threads=1, minloglevel=2,
            normalization_rule_tsv=rules.name, user_defined_symbols=WHOLE, model_type="unigram", vocab_size=360,
            character_coverage=0.995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    made = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = range(made.get_piece_size())
    kinds = [make_tokenizers.kind(made, piece) for piece in pieces]
    tokens, scores = ([of(piece) for piece in pieces] for of in (made.id_to_piece, made.get_score))
    normalizer = dict(fields(model.getvalue()))[3]
    return tokens, scores, kinds, dict(fields(normalizer))[2]


def fields(message):
    """Numbers and contents of a protocol buffer's fields; of sentencepiece_model.proto, 3 is the normalizer, and 2 of
    that its table."""
    at = 0

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte, at = message[at], at + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(message):
        key = number()
        size = {0: None, 1: 8, 5: 4}.get(key & 7, 0)
        if size is None:
            yield key >> 3, number()
            continue
        size = size or number()
        yield key >> 3, message[at : at + size]
        at += size


def write_json(path, loaded):
    """As T5's own: every text ends with a token for it."""
    file = json.loads(loaded.backend_tokenizer.to_str())
    file["added_tokens"] = [token for token in file["added_tokens"] if not token["content"].startswith("<extra_id")]
    made = Tokenizer.from_str(json.dumps(file))
    made.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", loaded.eos_token_id)])
    path.write_text(json.dumps(json.loads(made.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
