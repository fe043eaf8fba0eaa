"""Make tiny tokenizers and what transformers makes of difficult texts and of chats with them.

    pip install -r requirements.txt && python make_tokenizers.py

Writes `tokenizers/NAME.gguf` (metadata alone, as llama.cpp's converters write it) and
`tokenizers/golden.json` beside this script. transformers reads the same files; what the texts
spell is text (`split_special_tokens=True`). Everything follows from fixed seeds.
"""

import io
import json
import tempfile
from pathlib import Path

import sentencepiece
from gguf import GGUFReader, GGUFWriter, TokenType
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, LlamaTokenizer, PreTrainedTokenizerFast
from transformers.integrations.gguf.gguf_tokenizer_mapping import (
    add_gguf_special_tokens, gemma_tokenizer, get_merges,
)
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX as QWEN2_SPLIT

import chats
from difficult_texts import CONTROL, TEXTS, WHOLE, corpus

FOLDER = Path(__file__).parent / "tokenizers"
# Pre-tokenizers that transformers does not know by their names in GGUF files, as the models' own
# tokenizer.json have them.
SMOLLM = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
BLOOM = [
    pre_tokenizers.Split(Regex(" ?[^(\\s|[.,!?…。，、।۔،])]+"), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
]
BY_HAND = {"smollm": SMOLLM, "bloom": BLOOM}
BY_NAME = ["gpt-2", "qwen2", "qwen35", "llama-bpe", "smaug-bpe", "tekken", "gpt-4o"]
WHOLE_WORDS = ["llama-bpe", "tekken"]
QWEN2 = [
    pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
]
PLAIN = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
STRIPPED = [*PLAIN, decoders.Strip(" ", 1, 0)]
# What `tokenizer.json` of several families lists around the vocabulary.
STEPS = {
    "llama": ("sentencepiece", None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), decoders.Sequence(STRIPPED)),
    "llama-legacy": (
        "sentencepiece", normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None,
        decoders.Sequence(STRIPPED)),
    "gemma": (
        "sentencepiece", normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"),
        decoders.Sequence(PLAIN)),
    "qwen2": ("byte-level", normalizers.NFC(), pre_tokenizers.Sequence(QWEN2), decoders.ByteLevel()),
    "gpt2": ("byte-level", None, pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()),
    "digits": ("byte-level", None, pre_tokenizers.Sequence([SMOLLM[0], *BLOOM]), decoders.ByteLevel()),
    "unigram": ("unigram", None, pre_tokenizers.Metaspace(), decoders.Metaspace()),
}


def main():
    """All files."""
    FOLDER.mkdir(exist_ok=True)
    golden = {"texts": TEXTS, "byte_level": {}}
    write_byte_level(FOLDER / "byte-level.gguf", "gpt-2")
    for pre in [*BY_NAME, *BY_HAND]:
        golden["byte_level"][pre] = encode_all(byte_level_reference(pre))
    write_sentencepiece(FOLDER / "sentencepiece.gguf")
    spaced = load(FOLDER / "sentencepiece.gguf")
    golden["sentencepiece"] = encode_all(spaced)
    plain = without_prefix(FOLDER / "sentencepiece.gguf")
    golden["sentencepiece_without_prefix"] = encode_all(plain)
    golden["gemma"] = encode_all(as_gemma(FOLDER / "sentencepiece.gguf"))
    write_unigram(FOLDER / "unigram.gguf")
    golden["unigram"] = encode_all(unigram_reference(load(FOLDER / "unigram.gguf")))
    byte_level = byte_level_reference("llama-bpe")
    golden["chats"] = chats.golden({"byte-level": (byte_level, byte_level), "sentencepiece": (spaced, plain)})
    golden["json"] = json_styles({"byte-level": byte_level_reference("gpt-2"), "sentencepiece": spaced,
                                  "unigram": load(FOLDER / "unigram.gguf")})
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    (FOLDER / "golden.json").write_text(text + "\n")
    print(sum(path.stat().st_size for path in FOLDER.iterdir()), "bytes")


def encode_all(tokenizer):
    """The ids of every text, and the text of the ids where it is another."""
    ids = [tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"] for text in TEXTS]
    decoded = [tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False) for tokens in ids]
    return {"ids": ids, "decoded": {number: got for number, (got, text) in enumerate(zip(decoded, TEXTS)) if got != text}}


def load(path):
    """transformers' own reading of a GGUF file."""
    return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)


def writer(path, model, pre, tokens, scores, kinds):
    """A GGUF file with a tokenizer, and the sizes without which transformers refuses it."""
    made = GGUFWriter(path, "llama")
    made.add_context_length(64)
    made.add_embedding_length(16)
    made.add_block_count(1)
    made.add_feed_forward_length(16)
    made.add_head_count(1)
    made.add_head_count_kv(1)
    made.add_layer_norm_rms_eps(1e-5)
    made.add_vocab_size(len(tokens))
    made.add_tokenizer_model(model)
    made.add_tokenizer_pre(pre)
    made.add_token_list(tokens)
    if scores:
        made.add_token_scores(scores)
    made.add_token_types(kinds)
    return made


def finish(made):
    """Write what was added; there are no tensors."""
    made.write_header_to_file()
    made.write_kv_data_to_file()
    made.close()


def train_byte_level():
    """A byte-level BPE of 600 tokens, and one token more that no merges lead to."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    trained.train_from_iterator(corpus(), trainer)
    model = json.loads(trained.to_str())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [merge for merge in merges if merge.replace(" ", "") not in ("forest", "Ġforest")]
    assert "Ġforest" in tokens
    return tokens, merges


def write_byte_level(path, pre):
    """A file whose tokenizer cuts words as `pre` names it."""
    tokens, merges = train_byte_level()
    kinds = [TokenType.NORMAL] * len(tokens) + [TokenType.CONTROL] * len(CONTROL) + [TokenType.USER_DEFINED] * len(WHOLE)
    tokens = [*tokens, *CONTROL, *WHOLE]
    made = writer(path, "gpt2", pre, tokens, None, kinds)
    made.add_token_merges(merges)
    made.add_bos_token_id(tokens.index("<|begin_of_text|>"))
    made.add_eos_token_id(tokens.index("<|im_end|>"))
    made.add_eot_token_id(tokens.index("<|eot_id|>"))
    made.add_add_bos_token(False)
    finish(made)


def byte_level_reference(pre):
    """The file's tokenizer, cutting words as `pre` names it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.gguf"
        write_byte_level(path, pre)
        made = load(path)
    backend = made.backend_tokenizer
    if pre in BY_HAND:
        backend.pre_tokenizer = pre_tokenizers.Sequence(BY_HAND[pre])
    if pre in WHOLE_WORDS:
        backend.model.ignore_merges = True
    return made


def train_sentencepiece(**options):
    """The pieces of a SentencePiece model as GGUF has them: texts, scores, kinds."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, num_threads=1, minloglevel=2,
        normalization_rule_name="identity", user_defined_symbols=WHOLE, **options)
    made = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = range(made.get_piece_size())
    kinds = [kind(made, piece) for piece in pieces]
    return [made.id_to_piece(piece) for piece in pieces], [made.get_score(piece) for piece in pieces], kinds


def kind(made, piece):
    """What a piece is to GGUF; SentencePiece does not tell what users defined."""
    if made.is_unknown(piece):
        return TokenType.UNKNOWN
    if made.is_control(piece):
        return TokenType.CONTROL
    if made.is_byte(piece):
        return TokenType.BYTE
    return TokenType.USER_DEFINED if made.id_to_piece(piece) in WHOLE else TokenType.NORMAL


def write_sentencepiece(path):
    """SentencePiece's BPE with bytes, as Llama 2 has it."""
    tokens, scores, kinds = train_sentencepiece(
        model_type="bpe", vocab_size=760, byte_fallback=True, control_symbols=CONTROL, split_digits=True,
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, character_coverage=0.995)
    made = writer(path, "llama", "default", tokens, scores, kinds)
    made.add_bos_token_id(tokens.index("<s>"))
    made.add_eos_token_id(tokens.index("</s>"))
    made.add_unk_token_id(tokens.index("<unk>"))
    made.add_eot_token_id(tokens.index("<end_of_turn>"))
    made.add_add_bos_token(True)
    made.add_add_space_prefix(True)
    finish(made)


def described_by(path):
    """What transformers makes a tokenizer of."""
    reader = GGUFReader(path)
    get = lambda name: list(reader.get_field(f"tokenizer.ggml.{name}").contents())
    return {"tokenizer_type": "llama", **{name: get(name) for name in ("tokens", "scores", "token_type")}}


def as_gemma(path):
    """The tokenizer as that of a Gemma file, which has tokens of several spaces; here the last one."""
    described = described_by(path)
    described["tokens"][-1] = "  "
    described["token_type"][-1] = int(TokenType.USER_DEFINED)
    return add_gguf_special_tokens(gemma_tokenizer(described), described)


def without_prefix(path):
    """The same tokenizer, but texts do not begin with a space."""
    described = described_by(path)
    vocab = {token: id for id, token in enumerate(described["tokens"])}
    made = LlamaTokenizer(vocab=vocab, merges=get_merges(described), add_prefix_space=False)
    return add_gguf_special_tokens(made, described)


def write_unigram(path):
    """SentencePiece's unigram model, as T5 has it."""
    tokens, scores, kinds = train_sentencepiece(
        model_type="unigram", vocab_size=360, character_coverage=0.995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    made = writer(path, "t5", "default", tokens, scores, kinds)
    made.add_eos_token_id(tokens.index("</s>"))
    made.add_unk_token_id(tokens.index("<unk>"))
    made.add_add_bos_token(False)
    finish(made)


def unigram_reference(loaded):
    """transformers' tokenizer, but its model does not find control tokens in texts.

    A unigram model cuts texts into any pieces of its vocabulary. Where the library keeps the
    control tokens among them, `</s>` in a text is one; SentencePiece itself does not. No text has
    a space when it is cut into pieces, so the control tokens are spelled with one.
    """
    backend = loaded.backend_tokenizer
    model = json.loads(backend.to_str())["model"]
    hidden = {"<unk>", "</s>", "<pad>"}
    vocab = [(" " + token if token in hidden else token, score) for token, score in model["vocab"]]
    unknown = [token for token, _ in model["vocab"]].index("<unk>")
    reference = Tokenizer(models.Unigram(vocab, unk_id=unknown))
    reference.normalizer = backend.normalizer
    reference.pre_tokenizer = backend.pre_tokenizer
    reference.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    reference.add_tokens(WHOLE)
    for text in TEXTS:
        ids = reference.encode(text, add_special_tokens=False).ids
        theirs = loaded(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert ids == theirs or any(token in text for token in hidden), text
    return Reference(reference, hidden)


def json_styles(tokenizers):
    """Writes each vocabulary as `NAME.json`; the styles' steps around it, and the texts through them."""
    made = {}
    for name, tokenizer in tokenizers.items():
        file = json.loads(tokenizer.backend_tokenizer.to_str())
        # transformers adds those to every T5.
        file["added_tokens"] = [token for token in file["added_tokens"] if not token["content"].startswith("<extra_id")]
        text = json.dumps(file, ensure_ascii=False, separators=(",", ":"))
        (FOLDER / f"{name}.json").write_text(text + "\n")
    for style, (name, normalizer, pre_tokenizer, decoder) in STEPS.items():
        backend = Tokenizer.from_file(str(FOLDER / f"{name}.json"))
        if normalizer is not None or backend.normalizer is not None:
            backend.normalizer = normalizer
        if pre_tokenizer is not None or backend.pre_tokenizer is not None:
            backend.pre_tokenizer = pre_tokenizer
        backend.decoder = decoder
        steps = json.loads(backend.to_str())
        steps = {key: steps[key] for key in ("normalizer", "pre_tokenizer", "decoder")}
        loaded = PreTrainedTokenizerFast(tokenizer_object=backend)
        encoded = encode_all(unigram_reference(loaded) if name == "unigram" else loaded)
        made[style] = {"file": name, "steps": steps, "encoded": encoded}
    return made


class Reference:
    """A tokenizer of the `tokenizers` library, called as one of transformers."""

    def __init__(self, made, hidden):
        self.made = made
        self.hidden = {id for id in range(made.get_vocab_size()) if made.id_to_token(id).strip() in hidden}

    def __call__(self, text, **_):
        return {"input_ids": self.made.encode(text, add_special_tokens=False).ids}

    def decode(self, ids, **_):
        return self.made.decode([id for id in ids if id not in self.hidden])


if __name__ == "__main__":
    main()
