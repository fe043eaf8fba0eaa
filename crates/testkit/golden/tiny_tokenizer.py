"""A byte-level BPE tokenizer of 288 tokens: 256 bytes, 29 merges, 3 control tokens."""

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

# Lowest rank first, in the spelling of byte-level BPE (Ġ is a space).
MERGES = """
Ġ t|h e|Ġ a|i n|r e|Ġt he|o n|e r|Ġ s|a t|o u|Ġ w|n d|i s|in g|Ġ h|e d|Ġ o|o r|Ġa nd|
l l|e n|Ġ f|a r|Ġ b|s t|Ġs h|Ġ Ġ|Ċ Ċ
""".replace("\n", "").split("|")
END_OF_TEXT, CHAT_START, CHAT_END = CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VOCABULARY_TOKENS = 256 + len(MERGES) + len(CONTROL)

CHAT_TEMPLATE = """{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

# How each pre-tokenizer name of a GGUF file splits text before the merges.
SPLITS = {
    "llama-bpe": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}

SAMPLE_TEXTS = (
    "",
    "the",
    " the hen and the bear",
    "They're sure she'll land, AREN'T they?",
    "12345 6 78 and 3.14",
    "  two  spaces   and a tail  ",
    "one\n\ntwo\r\n\tthree\n",
    "naïve café, 東京, 🦊!",
    "<|im_start|>user\nhello<|im_end|>\n",
)


def byte_letters():
    """The printable stand-in of each byte in byte-level BPE, by byte value."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def token_list():
    """All token texts by id: byte b has id b."""
    return byte_letters() + [merge.replace(" ", "") for merge in MERGES] + list(CONTROL)


def tokenizer(pre_name):
    """The reference tokenizer for a GGUF pre-tokenizer name."""
    vocabulary = {token: id for id, token in enumerate(token_list())}
    made = Tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in MERGES]))
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLITS[pre_name]), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL])
    check_reachable(made)
    return made


def check_reachable(made):
    """Every merged token must come out of its own text, or it is dead weight."""
    for id, merge in enumerate(MERGES, start=256):
        letters = byte_letters()
        text = bytes(letters.index(letter) for letter in merge.replace(" ", "")).decode()
        assert made.encode(text).ids == [id], (id, merge)


def prompt_of(made, text, tokens, bos_id):
    """The longest beginning of `text` that makes exactly `tokens` ids, with those ids."""
    for end in range(len(text), 0, -1):
        ids = ([] if bos_id is None else [bos_id]) + made.encode(text[:end]).ids
        if len(ids) == tokens:
            return text[:end], ids
    raise ValueError(f"no beginning of {text!r} has {tokens} tokens")


def sample_texts(made):
    """Texts with their ids (no beginning-of-sequence token added)."""
    return [{"text": text, "ids": made.encode(text).ids} for text in SAMPLE_TEXTS]


def sample_chat(made):
    """One conversation, rendered by the chat template and tokenized."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": " Where is the hen? \n"},
    ]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(CHAT_TEMPLATE)
    text = template.render(messages=messages, add_generation_prompt=True)
    return {"messages": messages, "text": text, "ids": made.encode(text).ids}
