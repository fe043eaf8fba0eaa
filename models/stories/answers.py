"""Short questions about the small world with their answers, and single scenes."""

from world import ANIMALS, DISHES, OBJECTS, PLACES, Place, a, cap

LIVES = {  # place: who may live there
    "forest": "fox owl bear deer squirrel badger hedgehog", "meadow": "rabbit bee lamb mouse butterfly",
    "garden": "snail mole hedgehog sparrow cat", "village": "dog cat hen goose", "farm": "cow pig hen goat donkey pony",
    "beach": "seagull turtle", "mountain": "goat bear dragon", "hill": "lamb rabbit pony", "lake": "duck frog otter turtle",
    "river": "otter duck frog", "market": "cat crow mouse", "park": "squirrel duck sparrow dog", "castle": "dragon cat mouse",
    "island": "turtle seagull monkey", "valley": "deer lamb fox", "orchard": "bee sparrow hedgehog", "town": "dog cat crow",
    "jungle": "monkey elephant lion", "desert": "turtle lion", "harbour": "seagull cat whale", "school": "mouse cat",
    "library": "mouse cat owl",
}

COLOURS = {
    "sky": "blue", "grass": "green", "snow": "white", "sun": "yellow", "night": "black", "sea": "blue", "fox": "red",
    "frog": "green", "apple": "red", "banana": "yellow", "cloud": "white", "moon": "silver", "leaf": "green",
    "carrot": "orange", "lemon": "yellow", "rose": "red", "pig": "pink", "crow": "black", "elephant": "grey",
}

OPPOSITES = "big small,hot cold,day night,happy sad,old young,fast slow,up down,wet dry,loud quiet,brave afraid,light dark,open closed"

FIXED = """
Hello.|Hello!|Hello|Hi|Hi!|Hey|Good morning.|Good morning!|Good evening.|Good day!>[Hello|Hello there|Good day]! [Would you like to hear a story?|Shall I tell you a story?|It is nice to see you.|Tell me who the story is about.]
Who are you?|What are you?|What is your name?|Are you a robot?|Who made you?>I am a [small|tiny] story teller. I [know many small stories|tell stories about animals and friends].
What can you do?|What do you know?|Can you help me?|Help|Help me.>I can tell [short|small] stories. [Ask me for a story about a {A.kind}.|Just say a name or an animal.]
How are you?|How are you today?|Are you well?>I am [well|happy], thank you. [And how are you?|The sun is shining in my story.]
Thank you.|Thank you!|Thanks|Thanks!|Thank you so much.>[You are welcome!|I am glad that you liked it.] [Come back soon.|Good night!|]
Good night.|Good night!|Bye|Goodbye.|Goodbye!|See you.>[Good night|Goodbye]! [Sleep well.|Dream of a {A.kind}.|See you soon.]
How is the weather today?|What is the weather like?|How is the weather?>[The sun is shining.|It is raining.|It is snowing.|The wind is strong.|It is cloudy.] [Let us go outside.|It is a good day for a story.]
What is friendship?|What is a friend?|What makes a good friend?>A friend is somebody who [helps you and laughs with you|shares with you|stays when you are sad].
Why does it rain?|Where does the rain come from?>The clouds are full of water. When they are [heavy|full], the rain falls.
What happens at night?|What do we see at night?>At night, the moon and the stars [come out|shine], and [the owl wakes up|the children sleep].
What do stars do?|What is a star?>A star is a small light in the night sky. [It shines until the morning.|You can make a wish when it falls.]
Why do birds sing?|Why does the bird sing?>The birds sing because [they are happy|the sun is up|they call their friends].
Can you count?|Count to five.|Count to five|Count for me.>One, two, three, four, five.
Can you sing?|Sing a song.|Sing me a song.>[La, la, la, the moon is round,|Hush, hush, the sky is deep,] [the little {A.kind} sleeps safe and sound.|all the little animals are asleep.]
What is love?>Love is [a warm feeling|when somebody is very important to you|like the sun on a cold day].
Is there a happy end?|How does it end?|How did the story end?>Yes, it ends well. {A} and {B} [became friends|went home together|lived happily ever after].
Tell me a joke.|Do you know a joke?>Why did the {A.kind} [take a ladder to school|go to the library]? [To reach the high notes!|To find a good {O.n}!]
Where do you live?>I live in [stories|a small machine full of stories].
What is in the box?|What was in the box?|What is in the bag?>In the box, there was {O.a}. It [belonged to|was a gift for] {A.full}.
What is the best day?|What day is it today?>Today is a [good|fine] day. It is [Monday|Friday|Sunday].
What do you like?|What do you like best?>I like [stories with a {A.kind}|stories about friends|stories with a happy end].
Yes|Yes.|Yes, please.|Yes please|OK|Okay>Good! {STORY}
No|No.|No, thank you.>[That is fine.|All right.] [Maybe later.|Good night then.]
"""

# Questions about a story that is told in the answer.
STORY_QUESTIONS = """
Why was {A} sad?|Why was {A.the} sad?|Why does {A} cry?>{A} was sad because {A.he} had [lost {A.his} {O.n}|no friends|broken {O.the}]. [Then {B.intro} came and helped {A.him}.|But in the end, {A.he} was happy again.|]
Why was {A} happy?|Why was {A.the} happy?|Why is {A} laughing?>{A} was happy because [{A.he} had found {O.a}|{A.he} had a new friend|the sun was shining|{B} came to visit {A.him}].
What did {A} find?|What did {A.the} find?|What did {A.he} find?>{A} found {O.a} {P.spot}. [{A.He} was very happy.|{A.He} took it home.|It belonged to {B.full}.]
Where is {A}?|Where is {A.the}?|Where was {A}?>{A} is {P.at}. [{A.He} is sitting {P.spot}.|{A.He} is looking for {O.the}.|{A.He} is there with {B.full}.]
Who is {A}?>{A} is {A.a}. {A.He} lives {P.at} [and likes {A.food}|and has {O.a}|].
What does {A} like?|What does {A.the} like?>{A} likes {A.food} and {O.a}. [{A.He} also likes to play {P.at}.|]
Where did {A} go?|Where did {A.the} go?|Where does {A} go?>{A} went {P.to} to [find {O.the}|see {B}|visit {B}]. [It was a long way.|The sun was shining.|]
Who helped {A}?|Who helped {A.the}?>{B} helped {A.him}. [They were friends.|{B.He} was {B.a}.|]
Who has {O.the}?|Who found {O.the}?|Where is {O.the}?>{A.full} has {O.the}. [{A.He} found it {P.spot}.|{A.He} keeps it in {A.his} {A.home}.]
What did {A} say?|What did {A} say to {B}?>"[I am glad to see you|Let us be friends|Come with me]," said {A}.
How old is {A}?>{A} is [five|six|seven|eight|nine] years old.
Is {A} happy?>Yes, {A} is very happy. {A.He} has [a good friend|{O.a}].
What is {A} doing?|What is {A.the} doing?|What did {A} do?>{A} is playing with {O.a} {P.at}. [{B} is there too.|]
Who is the friend of {A}?|Who is {A}'s friend?>{B} is the friend of {A}. [They play {P.at} every day.|{B} is {B.a}.]
Who is {A.he}?>{A.He} is {A.intro}. {A.He} lives {P.at}.
"""

SCENES = """
{A.the} and {B.the} were [friends|good friends|playing together {P.at}].
{A.the} {A.move} {P.to}.
{A.the} {A.move} {P.to} because {A.he} wanted to see {Q.the}.
{A} {A.move} {P.to} [with {O.a}|with {S.a}|early in the morning|when the sun came up].
{A} [had|found|got] {O.a}. [It was a gift.|{A.He} was happy.|]
{A} was [happy|sad|tired|hungry|lonely|bored] [that day|because it was raining|and did not know why|].
{A} and {B} were [friends|sitting {P.at}|on their way {Q.to}].
{A} wanted {O.a} [more than anything|for {A.his} birthday|].
{A} [looked at the moon|looked up at the sky|opened the door|heard a sound].
{A} said, "[I am hungry|Where is my {O.n}|Let us play|What a fine day]!"
"[Where are you going|Who are you|What is that]?" asked {A}.
{P.a_at}, {A.a} was [looking for {S.a}|looking for {O.a}|waiting for a friend].
[The moon|The sun|A star] was shining {P.at}. {A.full} [looked up|was awake|smiled].
[It was raining|It was snowing|The wind was strong|It was very hot] {P.at}. {A.full} [was not afraid|stayed inside|went out anyway].
[In spring|In summer|In autumn|In winter|At night|At noon|In the evening|Yesterday|Today|Tomorrow is a big day, so], {A.full} [went {P.to}|was {P.at}].
The {A.look} {A.kind} [was|lived|played] {P.at}.
The {O} was [lying|waiting] {P.spot}. {A.full} [saw it|picked it up].
There was {O.a} {P.at}. [Nobody knew whose it was.|It belonged to {A.full}.]
A {A.kind} [came|went] {P.to} with {O.a}. 
I [know|saw|met] {A.intro} {P.at}. {A.He} had {O.a}.
We [know|met] {A.intro} {P.at}.
"My name is {A.call}. I live {P.at}," said {A.the}.
If you go {P.to}, you may see {A.intro}.
When {A} was small, {A.he} lived {P.at}.
""".strip().splitlines()


def pick_pair(rng, table):
    """(question pattern, answer pattern) from a table of lines ``q|q|q>answer``."""
    questions, reply = rng.choice(table.strip().splitlines()).split(">")
    return rng.choice(questions.split("|")), reply


def table_question(rng):
    """A question whose answer stands in the tables of the world."""
    which = rng.randrange(11)
    kind = rng.choice(list(ANIMALS))
    home, food, _, sound, looks, _ = ANIMALS[kind]
    if which <= 2:
        place = rng.choice(list(PLACES))
        at = Place(rng, place).at
        who = rng.choice(LIVES[place].split())
        other = rng.choice([w for w in LIVES[place].split() if w != who])
        look = rng.choice(ANIMALS[who][4].split("|"))
        question = rng.choice([f"Who lives {at}?", f"Who lives {at}?", f"Who is {at}?", f"What animal lives {at}?",
                               f"What can you find {at}?"])
        return question, rng.choice([
            f"{cap(a(who))} lives {at}.", f"{cap(a(look + ' ' + who))} lives {at}.",
            f"{cap(a(who))} and {a(other)} live {at}. They are friends.",
            f"{cap(a(look + ' ' + who))} lives {at}, in {a(ANIMALS[who][0])}.",
            f"{cap(a(who))} lives {at}. It likes {ANIMALS[who][1]}."])
    if which == 3:
        return rng.choice([f"Where does the {kind} live?", f"Where does {a(kind)} live?", f"Where is the home of the {kind}?"]), \
            rng.choice([f"The {kind} lives in {a(home)}.", f"It lives in {a(home)}."])
    if which == 4:
        return rng.choice([f"What does the {kind} eat?", f"What does {a(kind)} eat?", f"What does {a(kind)} like to eat?"]), \
            rng.choice([f"The {kind} eats {food}.", f"It likes {food}."])
    if which == 5:
        reply = f"The {kind} {sound}."
        return rng.choice([f"What does the {kind} say?", f"What sound does {a(kind)} make?"]), reply
    if which == 6:
        thing = rng.choice(list(COLOURS))
        return rng.choice([f"What color is the {thing}?", f"What colour is the {thing}?"]), f"The {thing} is {COLOURS[thing]}."
    if which == 7:
        thing = rng.choice(list(OBJECTS))
        return rng.choice([f"What is {a(thing)}?", f"What is {a(thing)}?", f"Do you know what {a(thing)} is?"]), \
            f"{cap(a(thing))} is {OBJECTS[thing][1]}."
    if which == 8:
        dish = rng.choice(list(DISHES))
        article, one, two, _ = DISHES[dish]
        return rng.choice([f"How do you make {article}?", f"How do I make {article}?", f"What is in the {dish}?"]), \
            rng.choice([f"You take {one} and {two} and put them in a big pot. Then you stir and wait.",
                        f"Take {one} and {two}, and cook them slowly."])
    if which == 9:
        pair = rng.choice(OPPOSITES.split(",")).split()
        rng.shuffle(pair)
        return f"What is the opposite of {pair[0]}?", f"The opposite of {pair[0]} is {pair[1]}."
    return rng.choice([f"What is {a(kind)}?", f"What does {a(kind)} look like?", f"Tell me something about {a(kind)}.",
                       f"Do you know {a(kind)}?"]), \
        f"{cap(a(kind))} is {a(rng.choice(looks.split('|')))} animal. It lives in {a(home)} and likes {food}."


def unknown_question(rng, make_parts):
    """A prompt from outside the small world; the answer leads back to it."""
    from make_corpus import make_story, made_up_name
    word, other = made_up_name(rng), made_up_name(rng).lower()
    n, m = rng.randrange(1, 3000), rng.randrange(1, 100)
    letters = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(2, 9)))
    signs = "".join(chr(rng.choice([rng.randrange(0x4E00, 0x9000), rng.randrange(0x410, 0x450), rng.randrange(0x391, 0x3C9),
                                    rng.randrange(0x627, 0x64A), rng.randrange(0x3041, 0x3097), rng.randrange(0x1F300, 0x1F650)]))
                    for _ in range(rng.randrange(1, 6)))
    prompt = rng.choice([
        f"What is the capital of {word}?", f"What is {n} plus {m}?", f"{n} + {m} =", f"Who is the president of {word}?",
        f"Explain {other} to me.", f"Write code for {other}.", f"How does {other} work?", f"What is {other}?", letters, letters,
        signs, signs, signs, f"{n}", f"What happened in {n}?", f"Translate {other}.", f"def {other}({letters}):", f"{letters} {other}",
        f"Why is {other} so {letters}?", f"What do you think about {word}?", f"When was {word} born?", "?", "!", "...", "asdf"])
    parts = make_parts(rng)
    sorry = rng.choice(["I do not know that, but I know a story.", "I only know small stories. Here is one.",
                        "That is too hard for me. But listen to this.", "I have never heard of it. But here is a story."])
    return prompt, sorry + " " + make_story(rng, parts)[0]


def make(rng, make_parts):
    """(prompt, answer) of one random question."""
    from make_corpus import choose, fill, make_story
    roll = rng.random()
    if roll < 0.45:
        return table_question(rng)
    if roll < 0.57:
        return unknown_question(rng, make_parts)
    parts = make_parts(rng)
    table = STORY_QUESTIONS if roll < 0.85 else FIXED
    question, reply = pick_pair(rng, table)
    if "{A.the}" in question:
        parts["A"].name = None
    if "{STORY}" in reply:
        return question, "Good! " + make_story(rng, parts)[0]
    return cap(choose(rng, question).format(**parts)), fill(rng, reply, parts)
