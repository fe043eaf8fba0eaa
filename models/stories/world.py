"""Words of the small world in which every story of the corpus takes place.

Only tables and the few classes that know how a character, a place or a thing
is called in a sentence ("Pip", "the fox", "he", "his").
"""

# name of the animal: (home, food, way of moving, sound it makes, adjectives, emoji)
ANIMALS = {
    "fox": ("den", "berries", "ran", "yips", "red|clever|young|little", "🦊"),
    "rabbit": ("burrow", "carrots", "hopped", "squeaks", "white|quick|soft|little", "🐰"),
    "bear": ("cave", "honey", "walked", "growls", "big|brown|gentle|young", "🐻"),
    "owl": ("hollow tree", "seeds", "flew", "hoots", "wise|old|grey|small", "🦉"),
    "mouse": ("tiny hole", "cheese", "ran", "squeaks", "tiny|grey|brave|small", "🐭"),
    "hedgehog": ("pile of leaves", "mushrooms", "walked", "snuffles", "shy|round|little|sleepy", "🦔"),
    "squirrel": ("nest", "nuts", "jumped", "chatters", "red|quick|busy|little", "🐿️"),
    "frog": ("pond", "flies", "hopped", "croaks", "green|small|happy|young", "🐸"),
    "duck": ("nest", "bread", "swam", "quacks", "yellow|white|young|cheerful", "🦆"),
    "cat": ("basket", "fish", "walked", "purrs", "black|grey|soft|curious", "🐱"),
    "dog": ("kennel", "bones", "ran", "barks", "brown|friendly|big|happy", "🐶"),
    "hen": ("henhouse", "corn", "walked", "clucks", "brown|busy|white|small", "🐔"),
    "goat": ("shed", "grass", "climbed", "bleats", "white|stubborn|young|funny", "🐐"),
    "pony": ("stable", "apples", "trotted", "neighs", "brown|grey|gentle|young", "🐴"),
    "lamb": ("barn", "grass", "ran", "bleats", "white|soft|little|playful", "🐑"),
    "turtle": ("pond", "leaves", "crept", "hums", "slow|green|old|patient", "🐢"),
    "otter": ("den", "fish", "swam", "whistles", "playful|brown|young|happy", "🦦"),
    "badger": ("burrow", "roots", "walked", "grunts", "old|grey|kind|quiet", "🦡"),
    "deer": ("thicket", "leaves", "ran", "calls softly", "shy|brown|young|gentle", "🦌"),
    "crow": ("nest", "corn", "flew", "caws", "black|clever|old|noisy", "🐦"),
    "sparrow": ("nest", "crumbs", "flew", "chirps", "tiny|brown|cheerful|small", "🐦"),
    "bee": ("hive", "honey", "flew", "buzzes", "busy|tiny|golden|little", "🐝"),
    "snail": ("shell", "leaves", "crept", "hums", "slow|tiny|patient|small", "🐌"),
    "penguin": ("snow house", "fish", "waddled", "honks", "small|funny|black and white|young", "🐧"),
    "elephant": ("grove", "bananas", "walked", "trumpets", "big|grey|gentle|young", "🐘"),
    "lion": ("den", "stew", "walked", "roars", "golden|proud|brave|young", "🦁"),
    "monkey": ("tree", "bananas", "climbed", "chatters", "funny|brown|clever|playful", "🐵"),
    "pig": ("sty", "turnips", "trotted", "oinks", "pink|round|happy|muddy", "🐷"),
    "cow": ("barn", "grass", "walked", "moos", "brown|gentle|big|sleepy", "🐮"),
    "donkey": ("stable", "hay", "trotted", "brays", "grey|patient|old|stubborn", "🫏"),
    "goose": ("nest", "grass", "waddled", "honks", "white|proud|noisy|young", "🪿"),
    "mole": ("tunnel", "roots", "crept", "snuffles", "small|black|shy|busy", "🐾"),
    "kitten": ("basket", "milk", "ran", "meows", "tiny|white|playful|soft", "🐱"),
    "puppy": ("basket", "biscuits", "ran", "barks", "small|playful|brown|clumsy", "🐶"),
    "dragon": ("cave", "pancakes", "flew", "roars", "green|small|friendly|young", "🐉"),
    "robot": ("workshop", "oil", "rolled", "beeps", "small|silver|old|friendly", "🤖"),
    "giant": ("tower", "porridge", "walked", "laughs", "kind|gentle|big|old", "🧔"),
    "butterfly": ("flower", "nectar", "flew", "is very quiet", "blue|yellow|tiny|gentle", "🦋"),
    "whale": ("bay", "seaweed", "swam", "sings", "blue|big|gentle|old", "🐳"),
    "seagull": ("nest", "fish", "flew", "cries", "white|noisy|clever|young", "🐦"),
}

# Seen seldom, so that the model learns to repeat an unusual word from a request.
RARE_ANIMALS = (
    "zebra tiger panda camel wolf koala kangaroo parrot peacock swan crab seal dolphin octopus "
    "lizard beaver raccoon moose hamster ladybird beetle spider ant caterpillar giraffe hippo "
    "crocodile unicorn fairy ghost snowman pirate wizard witch knight alien mermaid troll elf "
    "stork heron bat weasel chicken horse sheep bull fish shark star cloud tree moth worm toad"
).split()

# The people: word for the person, pronoun set, adjectives.
PEOPLE = {
    "girl": ("she", "little|young|curious|cheerful|quiet", "👧"),
    "boy": ("he", "little|young|curious|cheerful|quiet", "👦"),
    "farmer": (None, "old|kind|busy|cheerful", "🧑‍🌾"),
    "baker": (None, "kind|round|busy|cheerful", "🥖"),
    "sailor": (None, "old|brave|young|tall", "⛵"),
    "painter": (None, "young|quiet|old|dreamy", "🎨"),
    "gardener": (None, "kind|quiet|old|patient", "🌻"),
    "king": ("he", "old|kind|proud|lonely", "👑"),
    "queen": ("she", "old|kind|clever|lonely", "👑"),
    "princess": ("she", "young|brave|kind|curious", "👸"),
    "prince": ("he", "young|brave|kind|curious", "🤴"),
    "miller": (None, "old|tired|kind|strong", "🌾"),
}

GIRL_NAMES = (
    "Mia Anna Lily Nora Ella Rosa Clara Ida Emma Lena Zoe Sara Maya Ruby Hana Alma Tilda Greta "
    "Nina Vera Luna Daisy Poppy Molly Amy Ivy Olive Amina Priya Mei Yuki Fatima Leila Dora Elsa"
).split()
BOY_NAMES = (
    "Tom Ben Max Leo Sam Jack Finn Otto Hugo Noah Paul Emil Oscar Theo Milo Luca Jonas Karl Ali "
    "Omar Ravi Kenji Juan Pedro Ivan Niko Henry Felix Toby Will Adam Yusuf Tariq Bruno Anton Lars"
).split()
PET_NAMES = (
    "Pip Bruno Hazel Nutmeg Pebble Button Biscuit Clover Fern Moss Rusty Patch Snow Tansy Willow "
    "Bramble Cocoa Dusty Ember Fizz Ginger Honey Juniper Kiki Lulu Mango Nibbles Pepper Quill Rollo "
    "Sunny Tuck Waffles Ziggy Bobo Coco Dot Puck Robin Misty Toffee Acorn Barley Maple Sage Thistle"
).split()

# place: (preposition, spots in it)
PLACES = {
    "forest": ("in", "under a tall oak tree|behind a mossy log|between the roots of an old tree|beside a patch of ferns"),
    "meadow": ("in", "in the long grass|next to a yellow flower|behind a small bush|beside a big round stone"),
    "garden": ("in", "under the rose bush|behind the watering can|between the cabbages|near the garden gate"),
    "village": ("in", "next to the well|behind the bakery|on the church steps|under a wooden bench"),
    "farm": ("on", "in a pile of hay|behind the barn|under an old cart|next to the water trough"),
    "beach": ("on", "behind a grey rock|under some seaweed|in the warm sand|next to an old boat"),
    "mountain": ("on", "behind a big rock|beside a small spring|under a pine tree|near a cave"),
    "hill": ("on", "under the lonely tree|behind a stone wall|in the tall grass|beside the path"),
    "lake": ("by", "between the reeds|on a wooden dock|under a willow tree|beside an old boat"),
    "river": ("by", "under the stone bridge|between two wet stones|in the soft mud|behind a willow tree"),
    "market": ("at", "under a table of apples|behind a row of baskets|next to the cheese stall|between two carts"),
    "park": ("in", "under a green bench|behind the fountain|near the swings|beside the pond"),
    "castle": ("in", "under the long stairs|behind a heavy curtain|next to the throne|in the quiet tower"),
    "island": ("on", "under a palm tree|behind a white rock|in the warm sand|near a small cave"),
    "valley": ("in", "beside a little stream|under an apple tree|behind a stone wall|near the old mill"),
    "orchard": ("in", "under an apple tree|behind a ladder|in a basket of pears|beside the fence"),
    "town": ("in", "next to the clock tower|behind the bookshop|under a street lamp|beside the fountain"),
    "jungle": ("in", "under a giant leaf|behind a curtain of vines|beside a warm pool|between two twisted roots"),
    "desert": ("in", "behind a warm rock|under a lonely palm tree|beside a small well|at the foot of a sand hill"),
    "harbour": ("at", "behind a pile of nets|under an old boat|next to the lighthouse|between two barrels"),
    "school": ("at", "under a small desk|behind the door|next to the blackboard|beside the sandbox"),
    "library": ("in", "between two big books|under a reading table|behind a tall shelf|next to the window"),
}

# object: (emoji, short meaning, what one does with it)
OBJECTS = {
    "kite": ("🪁", "a toy that flies on a string", "flew"),
    "ball": ("⚽", "a round toy that you can throw", "played with"),
    "lantern": ("🏮", "a light that you can carry", "carried"),
    "drum": ("🥁", "an instrument that you hit with your hands", "played"),
    "hat": ("🎩", "something that you wear on your head", "wore"),
    "scarf": ("🧣", "a long piece of cloth that keeps your neck warm", "wore"),
    "book": ("📖", "a thing with pages and stories", "read"),
    "map": ("🗺️", "a picture that shows you the way", "studied"),
    "key": ("🔑", "a small thing that opens a door", "carried"),
    "bell": ("🔔", "a thing that rings when you shake it", "rang"),
    "boat": ("⛵", "a thing that floats on the water", "sailed"),
    "basket": ("🧺", "a thing in which you carry apples and bread", "carried"),
    "umbrella": ("☂️", "a thing that keeps the rain away", "carried"),
    "blanket": ("🛏️", "a warm cloth for the night", "slept under"),
    "shell": ("🐚", "a little house from the sea", "listened to"),
    "button": ("🔘", "a small round thing on a coat", "polished"),
    "flute": ("🎶", "an instrument that you blow", "played"),
    "cup": ("☕", "a thing that you drink from", "drank from"),
    "wagon": ("🛒", "a small cart with wheels", "pulled"),
    "ring": ("💍", "a small circle that you wear on your finger", "wore"),
    "feather": ("🪶", "a light thing from the wing of a bird", "kept"),
    "coin": ("🪙", "a small round piece of money", "kept"),
    "pencil": ("✏️", "a thing that you draw with", "drew with"),
    "mirror": ("🪞", "a glass that shows your face", "looked into"),
    "clock": ("🕰️", "a thing that tells you the time", "wound"),
    "bucket": ("🪣", "a thing in which you carry water", "carried"),
    "ribbon": ("🎀", "a thin piece of pretty cloth", "wore"),
    "whistle": ("📯", "a small thing that makes a high sound", "blew"),
    "doll": ("🪆", "a toy that looks like a small person", "played with"),
    "spoon": ("🥄", "a thing that you eat soup with", "used"),
}
# Those who live only in the water, and places with water.
SWIMMERS = {"whale", "seal", "dolphin", "octopus", "fish", "shark", "mermaid"}
WATER_PLACES = ["beach", "lake", "river", "harbour", "island"]

OBJECT_LOOKS = "red blue green yellow golden silver little old wooden shiny tiny purple orange white striped beautiful".split()

# dish: (article form, is plural, first ingredient, second ingredient, emoji)
DISHES = {
    "soup": ("some soup", "carrots", "onions", "🍲"),
    "bread": ("some bread", "flour", "warm water", "🍞"),
    "cake": ("a cake", "flour", "eggs", "🍰"),
    "apple pie": ("an apple pie", "apples", "butter", "🥧"),
    "porridge": ("some porridge", "oats", "milk", "🥣"),
    "stew": ("some stew", "potatoes", "beans", "🥘"),
    "jam": ("some jam", "berries", "sugar", "🍓"),
    "pudding": ("a pudding", "milk", "honey", "🍮"),
    "salad": ("a salad", "leaves", "tomatoes", "🥗"),
    "pumpkin pie": ("a pumpkin pie", "pumpkin", "cream", "🎃"),
}
SNACKS = [
    ("an apple", "apple", "🍎"), ("a pear", "pear", "🍐"), ("a piece of bread", "bread", "🍞"),
    ("a honey cake", "cake", "🍰"), ("a cookie", "cookie", "🍪"), ("a carrot", "carrot", "🥕"),
    ("a bun", "bun", "🥐"), ("a piece of cheese", "cheese", "🧀"), ("a plum", "plum", "🍑"),
    ("a pancake", "pancake", "🥞"), ("a banana", "banana", "🍌"), ("a sandwich", "sandwich", "🥪"),
]

SEEN = {"he": ("he", "him", "his"), "she": ("she", "her", "her")}


def a(phrase):
    """The phrase with its indefinite article: an owl, a red owl."""
    return ("an " if phrase[0].lower() in "aeiou" and not phrase.startswith("uni") else "a ") + phrase


def cap(text):
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


class Character:
    """Somebody in a story, with every way in which a sentence may speak of them."""

    def __init__(self, rng, kind, name, pronoun, look, home, food, move, emoji, sound):
        self.rng, self.kind, self.name, self.look = rng, kind, name, look
        self.he, self.him, self.his = SEEN[pronoun]
        self.He, self.His = cap(self.he), cap(self.his)
        self.home, self.food, self.move, self.emoji, self.sound = home, food, move, emoji, sound
        self.person = kind in PEOPLE

    @property
    def the(self):
        """The kind with the definite article: the fox."""
        return "the " + self.kind

    @property
    def a(self):
        """The kind with a look and the indefinite article: a little fox."""
        return a(f"{self.look} {self.kind}") if self.look else a(self.kind)

    @property
    def intro(self):
        """First mention, with the name if there is one."""
        if not self.name:
            return self.a
        return self.rng.choice([f"{self.a} named {self.name}", f"{self.a} called {self.name}"])

    @property
    def full(self):
        """Name and kind: Pip the fox (or just Mia)."""
        if not self.name:
            return self.the
        return self.name if self.kind in ("girl", "boy") else f"{self.name} the {self.kind}"

    @property
    def voc(self):
        """How a friend speaks to them."""
        return self.name or self.rng.choice(["my friend", "dear " + self.kind, "little " + self.kind])

    def __str__(self):
        return self.name or self.the


class Place:
    """Somewhere, with its preposition and the spots in it."""

    def __init__(self, rng, n):
        prep, spots = PLACES[n]
        self.n, self.the, self.spots = n, "the " + n, spots.split("|")
        self.at, self.to = f"{prep} the {n}", f"to the {n}"
        self.a_at = f"{prep} {a(rng.choice(['quiet', 'green', 'small', 'big', 'old', 'sunny']) + ' ' + n)}"
        self.spot, self.spot2 = rng.sample(self.spots, 2)

    def __str__(self):
        return self.n


class Thing:
    """An object with a look that stays the same through the story."""

    def __init__(self, rng, n):
        self.n, self.look = n, rng.choice(OBJECT_LOOKS)
        self.emoji, self.meaning, self.used = OBJECTS[n]
        self.the, self.a = "the " + n, a(f"{self.look} {n}")
        self.full = f"the {self.look} {n}"

    def __str__(self):
        return f"{self.look} {self.n}"
