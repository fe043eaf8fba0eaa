#!/usr/bin/env python3
"""Write the training corpus: short stories, requests, questions, from our own grammar.

    python make_corpus.py --out /tmp/stories --documents 60000 --seed 1

makes ``train.txt`` and ``valid.txt``, one document per line as a JSON string.
The validation documents come from another seed.
"""

import argparse
import json
import pathlib
import random
import re

import answers
import plots
from world import (ANIMALS, BOY_NAMES, DISHES, GIRL_NAMES, OBJECTS, PEOPLE, PET_NAMES, PLACES,
                   RARE_ANIMALS, SNACKS, SWIMMERS, WATER_PLACES, Character, Place, Thing, a, cap)


class Dish:
    """Something to cook."""

    def __init__(self, rng, n):
        self.n = n
        self.a, self.x, self.y, self.emoji = DISHES[n]
        if rng.random() < 0.5:
            self.x, self.y = self.y, self.x
        self.the = "the " + n


class Snack:
    """Something to eat and to share."""

    def __init__(self, rng):
        self.a, self.n, self.emoji = rng.choice(SNACKS)
        self.the = "the " + self.n


def choose(rng, text):
    """Replace every [x|y] in the text by one of its choices, innermost first."""
    pick = lambda m: rng.choice(m.group(1).split("|"))
    while "[" in text:
        text = re.sub(r"\[([^\[\]]*)\]", pick, text)
    return text


def tidy(text):
    """Upper case at the start of sentences and of speech; single spaces."""
    text = re.sub(r" ([.,!?])", r"\1", re.sub(r" +", " ", text)).strip()
    upper = lambda m: m.group(1) + m.group(2).upper()
    text = re.sub(r'^("?)([a-z])', upper, text)
    text = re.sub(r'([.!?] "?)([a-z])', upper, text)
    return re.sub(r'([,:] ")([a-z])', upper, text)


def fill(rng, line, parts):
    """One sentence slot of a plot as text, or '' when it is optional and left out."""
    line = line.strip()
    if line.startswith("?"):
        if rng.random() < 0.5:
            return ""
        line = line[1:]
    line = line.replace("{MEET}", plots.MEET)
    return tidy(choose(rng, line).format(**parts))


def made_up_name(rng):
    """A name nobody has, so that the model learns to copy any name."""
    syllable = lambda: rng.choice("b d f g h j k l m n p r s t v w z ch sh br tr st".split()) + \
        rng.choice("a e i o u ai ee oo".split())
    name = "".join(syllable() for _ in range(rng.choice([1, 2, 2, 2, 3])))
    return cap(name + rng.choice(["", "", "", "n", "l", "r", "s", "x", "m"]))


def make_character(rng, pronoun=None, kind=None, name=None, nameless=0.2):
    """A random character; pronoun, kind or name may be given."""
    pronoun = pronoun or rng.choice(["he", "she"])
    if kind is None:
        roll = rng.random()
        if roll < 0.60:
            kind = rng.choice(list(ANIMALS))
        elif roll < 0.85:
            kind = "girl" if pronoun == "she" else "boy"
        elif roll < 0.94:
            kind = rng.choice([k for k, v in PEOPLE.items() if v[0] in (None, pronoun)])
        else:
            kind = rng.choice(RARE_ANIMALS)
    if name is None and rng.random() >= nameless:
        if rng.random() < 0.12:
            name = made_up_name(rng)
        elif kind in PEOPLE:
            name = rng.choice(GIRL_NAMES if pronoun == "she" else BOY_NAMES)
        else:
            name = rng.choice(PET_NAMES)
    if kind in ANIMALS:
        home, food, move, sound, looks, emoji = ANIMALS[kind]
    elif kind in PEOPLE:
        home, food, move, sound, emoji = "house", rng.choice(["bread", "soup", "apples", "cake"]), "walked", "", PEOPLE[kind][2]
        looks = PEOPLE[kind][1]
        if rng.random() < 0.3:
            home = "small cottage"
    else:
        home, food, move, sound, looks, emoji = "small house", "berries", "went", "", "little|big|young|old|strange", ""
    look = rng.choice(looks.split("|"))
    if rng.random() < 0.35:
        look = rng.choice(["little", "small", "young", "kind", "brave", "clever", "shy", "happy", "friendly", "curious"])
    elif rng.random() < 0.15:
        look = ""
    who = Character(rng, kind, name, pronoun, look, home, food, move, emoji, sound)
    who.call = who.name or who.a
    return who


def pick_places(rng, hero, plot):
    """Two different places that suit the hero and the plot."""
    places = [p for p in PLACES if not (
        plot in plots.OUTDOOR and p in plots.INDOOR_PLACES or plot == "snow" and p in plots.WARM_PLACES)]
    home = rng.choice(WATER_PLACES if hero.kind in SWIMMERS else places)
    return home, rng.choice([p for p in places if p != home])


def favourites(kind, what, things, count):
    """What suits a kind of hero: always the same of the things, and others for other kinds."""
    return random.Random(f"{kind} {what}").sample(things, count)


def make_parts(rng, hero=None, plot=None):
    """The elements of one story, all different from one another. A kind of hero has plots of its own, most of the
    time: else the likeliest plot of all would be everybody's when the likeliest words are taken."""
    A = hero or make_character(rng)
    if plot is None:
        every = list(plots.PLOTS)
        plot = rng.choice(favourites(A.kind, "plots", every, 3) if rng.random() < 0.7 else every)
    other = "he" if A.he == "she" else "she"
    while True:
        B = make_character(rng, other, nameless=0.35)
        if B.kind != A.kind and B.kind not in SWIMMERS and (B.name is None or B.name != A.name):
            break
    p, q = pick_places(rng, A, plot)
    o = rng.choice(plots.PLOT_THINGS.get(plot) or list(OBJECTS))
    o2 = rng.choice([n for n in OBJECTS if n != o])
    parts = dict(A=A, B=B, P=Place(rng, p), Q=Place(rng, q), O=Thing(rng, o), O2=Thing(rng, o2),
                 S=Snack(rng), D=Dish(rng, rng.choice(list(DISHES))))
    parts["plot"] = plot
    parts.update({key: rng.choice(value.split("|")) for key, value in plots.FILLERS.items()})
    return parts


def opening(rng, parts):
    """The first sentences; the hero's name is always told."""
    hero = parts["A"]
    lines = [o for o in plots.OPENINGS if hero.name or o[0] != "!"]
    if rng.random() < 0.6:
        lines = favourites(hero.kind, "openings", lines, 4)
    line = rng.choice(lines)
    return named(rng, fill(rng, line.lstrip("!"), parts), parts)


def named(rng, text, parts):
    """The first sentences, with the hero's name told if they did not."""
    hero = parts["A"]
    if hero.name and hero.name not in text:
        text += " " + fill(rng, "[{A.His} name was {A}|{A.He} was called {A}|Everybody called {A.him} {A}].", parts)
    return text


def plot_text(rng, parts):
    """The sentences of the plot, without opening and closing."""
    lines = plots.PLOTS[parts["plot"]][2].strip().splitlines()
    return [text for text in (fill(rng, line, parts) for line in lines) if text]


def closing(rng, parts):
    """A last sentence that fits the plot."""
    if parts["plot"] in plots.ENDED:
        return "The end." if rng.random() < 0.3 else ""
    if rng.random() < 0.2:
        return ""
    return fill(rng, rng.choice(plots.CLOSINGS if plots.PLOTS[parts["plot"]][1] else plots.CLOSINGS_ALONE), parts)


def make_story(rng, parts):
    """(story text, theme for a request) of the plot told with these parts."""
    text = " ".join([opening(rng, parts)] + plot_text(rng, parts) + [closing(rng, parts)]).strip()
    theme = rng.choice(plots.PLOTS[parts["plot"]][0].split("|")).format(**parts)
    return text, theme


def title(rng, parts, theme):
    """A title for the story."""
    A, B, O, P = parts["A"], parts["B"], parts["O"], parts["P"]
    small = {"the", "a", "an", "of", "and", "in", "on", "by", "at", "to", "with", "for"}
    text = rng.choice([f"{A.the} and {O.the}", f"{A.the} and {B.the}", f"{A} and {O.full}", f"{A} {P.at}",
                       theme, f"{A} and {theme}", f"the story of {A}"])
    return cap(" ".join(w if w in small else cap(w) for w in text.split()))


def subject(rng, parts, theme, text):
    """What a request may ask for, true of the story with these parts."""
    A, B, P, O = parts["A"], parts["B"], parts["P"], parts["O"]
    about = [A.a, A.a, a(A.kind), a(A.kind), a(A.kind), A.intro, theme, theme, f"{a(A.kind)} {P.at}",
             f"{a(A.kind)} and {theme}"]
    if f" {P.n}" in text:
        about += [f"{a(A.kind)} {P.at}", f"{A.a} {P.at}", P.the]
    if f" {B.kind}" in text:
        about += [f"{a(A.kind)} and {a(B.kind)}", f"{A.a} and {B.a}"]
    if f" {O.n}" in text:
        about += [f"{a(A.kind)} and {a(O.n)}", f"{A} and {O.a}", O.a, a(O.n)]
    if A.name:
        about += [A.name, A.name, A.full, f"{a(A.kind)} named {A.name}", f"{A.name} and {theme}"]
    if A.name and B.name:
        about.append(f"{A.name} and {B.name}")
    return rng.choice(about)


REQUESTS = """
Tell me a story about {x}.|Tell me a story about {x}.|Tell me a story about {x}|Tell me a short story about {x}.
Tell a story about {x}.|Write a story about {x}.|Write a short story about {x}.|Write me a story about {x}
Please tell me a story about {x}.|Can you tell me a story about {x}?|Can you write a story about {x}?
I want a story about {x}.|I would like to hear a story about {x}.|A story about {x}.|A story about {x}:|Story about {x}:
Tell me about {x}.|Do you know a story about {x}?|Please write a story about {x}.|Story: {x}.|{x}|{x}.|{x}:
Make up a story about {x}.|Once more, a story about {x}.|Give me a bedtime story about {x}.|Read me a story about {x}.
""".replace("\n", "|").strip("|").split("|")

ANY_STORY = """Tell me a story.|Tell me a story|Tell me another story.|Write a story.|Write a short story.|Story, please.|Another one.
I am bored.|Please tell me a story.|Can you tell me a story?|Read me a story.|A bedtime story, please.|Tell me something.
Surprise me.|Once more.|I cannot sleep.|Do you know a story?|Go on.|What happened?|story""".replace("\n", "|").split("|")

REPLIES = ["", "", "", "", "", "Of course!", "Yes!", "Here is a story.", "Gladly.", "Listen."]


def answer_after(rng, prompt, text):
    """Prompt and answer in one document.

    A space is usual, because then the prompt alone is always a prefix of the
    document's tokens; a prompt without a final mark is followed by a new line.
    """
    if prompt[-1] in ".?!:":
        gap = "\n" if rng.random() < 0.2 else " "
    else:
        gap = "\n"
    return prompt + gap + text


def random_case(rng, prompt):
    """Sometimes all in lower case, as people type."""
    return prompt.lower() if rng.random() < 0.2 else prompt


def request_document(rng):
    """A request and the story that was asked for."""
    if rng.random() < 0.2:
        prompt = rng.choice(ANY_STORY)
        text, _ = make_story(rng, make_parts(rng))
    else:
        hero = make_character(rng, kind=rng.choice(RARE_ANIMALS)) if rng.random() < 0.12 else None
        parts = make_parts(rng, hero)
        text, theme = make_story(rng, parts)
        prompt = cap(rng.choice(REQUESTS).format(x=subject(rng, parts, theme, text)))
    reply = rng.choice(REPLIES)
    return answer_after(rng, random_case(rng, prompt), (reply + " " + text).strip())


def emoji_document(rng):
    """A prompt of one to three emoji and a story about them."""
    hero = make_character(rng)
    while not hero.emoji:
        hero = make_character(rng)
    plot = rng.choice(["lost", "wind", "owner", "sorry", "swap", "journey", "letter", "share", "picnic"])
    parts = make_parts(rng, hero, plot)
    text, _ = make_story(rng, parts)
    thing = parts["S"] if plot == "share" else parts["O"]
    signs = [hero.emoji] + rng.choice([[], [], [thing.emoji], [thing.emoji], [parts["B"].emoji, thing.emoji]])
    prompt = rng.choice(["", " "]).join(s for s in signs if s)
    if rng.random() < 0.3:
        prompt = rng.choice(["Tell me a story about ", "A story about ", "Story: "]) + prompt
    return answer_after(rng, prompt, text) if rng.random() < 0.5 else prompt + " " + text


def title_document(rng):
    """A story with a title."""
    parts = make_parts(rng)
    text, theme = make_story(rng, parts)
    return title(rng, parts, theme) + rng.choice(["\n", "\n", "\n\n"]) + text


def plain_document(rng):
    """A story and nothing else."""
    text, _ = make_story(rng, make_parts(rng))
    return text


def fragment_document(rng):
    """A story that begins in the middle, as after a half sentence."""
    text, _ = make_story(rng, make_parts(rng))
    sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", text)
    return " ".join(sentences[rng.randrange(1, 4):])


def question_document(rng):
    """A question and its short answer, sometimes followed by one more."""
    prompt, text = answers.make(rng, make_parts)
    return answer_after(rng, random_case(rng, prompt), text)


def scene_document(rng):
    """A single action as the beginning, then a plot around the same hero."""
    parts = make_parts(rng)
    first = named(rng, fill(rng, rng.choice(answers.SCENES), parts), parts)
    return " ".join([first] + plot_text(rng, parts))


KINDS = [(plain_document, 28), (request_document, 32), (title_document, 5), (emoji_document, 5),
         (fragment_document, 3), (question_document, 20), (scene_document, 7)]


def make_document(rng):
    """One document of any kind."""
    makers, weights = zip(*KINDS)
    return rng.choices(makers, weights)[0](rng)


def write(path, documents, seed):
    """Write that many documents, one JSON string per line."""
    rng = random.Random(seed)
    with open(path, "w", encoding="utf-8") as out:
        for _ in range(documents):
            out.write(json.dumps(make_document(rng), ensure_ascii=False) + "\n")


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--documents", type=int, default=100000)
    parser.add_argument("--valid", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print that many documents instead")
    args = parser.parse_args()
    if args.show:
        rng = random.Random(args.seed)
        for _ in range(args.show):
            print(make_document(rng), end="\n---\n")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out / "train.txt", args.documents, args.seed)
    write(args.out / "valid.txt", args.valid, args.seed + 1000)


if __name__ == "__main__":
    main()
