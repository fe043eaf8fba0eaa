"""Openings, plots and closings of the stories, one sentence per line.

``[x|y]`` is a choice, ``{A.he}`` a field of a story element, and a line that
starts with ``?`` is left out half of the time. A is the hero, B the other
character (with the other pronoun), P the home place, Q another place, O an
object, S a snack, D a dish.
"""

OPENINGS = """
Once upon a time, there was {A.intro} who lived {P.at}.
Once upon a time, {A.intro} lived {P.at}.
Once upon a time, {P.a_at}, there lived {A.intro}.
Once there was {A.intro}. {A.He} lived {P.at}.
One day, {A.full} [went|walked|came] {P.to}.
One [sunny|quiet|cold|warm|bright] morning, {A.full} woke up {P.at}.
One [windy|rainy|sunny|golden] afternoon, {A.full} was {P.at}.
{P.a_at}, far away [from here|from everything|], there lived {A.intro}.
{P.a_at}, there lived {A.intro}.
Far away, {P.at}, lived {A.intro}.
There was once {A.intro} who loved {P.the}.
There was {A.intro} {P.at}. [Everybody knew {A.him}|Everyone liked {A.him}|{A.He} was kind to everyone].
There lived {A.intro} {P.at}.
{A.full} was [happy|curious|kind|brave|a good friend|never bored]. {A.He} lived {P.at}.
{A.full} lived {P.at}.
{A.full} loved {P.the} [very much|more than any other place].
{A.full} was [sitting|standing|resting|playing] {P.at} [when the sun came up|one fine day|early in the morning].
Long ago, {A.intro} lived {P.at}.
A long time ago, {P.at}, there was {A.intro}.
Every [day|morning|evening], {A.full} went {P.to}.
Early [in the morning|one morning], {A.full} [went|walked] {P.to}.
Last [summer|winter|spring|autumn], {A.intro} lived {P.at}.
This is [a|the] story [of|about] {A.intro}. {A.He} lived {P.at}.
!Do you know {A.full}? {A.He} [is|was] {A.a} who lived {P.at}.
!My friend {A} was {A.a}. {A.He} lived {P.at}.
When the sun came up, {A.full} was already {P.at}.
It was a [sunny|quiet|warm|beautiful|grey|windy] day {P.at}. {A.full} was [awake early|full of joy|looking for something to do].
It was [spring|summer|autumn|winter] {P.at}. {A.full} [looked at the sky|took a deep breath|was ready for the day].
The sun was shining {P.at}. {A.full} [was happy|came out to play|sat down in the warm light].
"Good morning!" said {A.full}. It was a fine day {P.at}.
"What a [lovely|fine|strange] day!" said {A.full}. {A.He} was {P.at}.
Near [the old mill|a small bridge|a tall tree|the edge of the woods], {P.at}, lived {A.intro}.
{A.a} lived {P.at}. [{A.His} home was a {A.home}|{A.He} had a {A.home} there|It was a good home].
{A.a} [sat|stood|waited] {P.at}. It was {A.full}.
At the end of a [long|narrow|winding] road, {P.at}, lived {A.intro}.
Not far from here, {P.at}, lived {A.intro}.
On [Monday|Tuesday|Friday|Saturday|Sunday], {A.full} went {P.to}.
{A.the} {A.move} {P.to} [with a big smile|with a song|very early].
!{A} was {A.a}. {A.He} lived {P.at}.
!{A} was {A.a} who [liked|loved] {A.food}. {A.He} lived {P.at}.
Somewhere {P.at}, there was {A.intro}.
In the [early morning|evening|warm light of summer], {A.full} was {P.at}.
One [quiet|long|golden] evening, {A.full} was [still|all alone|with friends] {P.at}.
High above {P.the}, the sky was blue. Below it lived {A.intro}.
""".strip().splitlines()

CLOSINGS = """
And from that day on, {A} and {B} were [the best of friends|good friends|always together].
They lived happily ever after.
It was the best day of all.
And {A} was very happy.
{A} went home with a [big smile|warm heart|light heart].
That night, {A} slept very well.
"[What a good day|This was a wonderful day|I will never forget this day]," said {A}.
And that is how {A} [learned that a friend is the best gift|learned to be brave|found a friend for life].
From then on, {A} and {B} [met every day|helped each other|laughed a lot].
[The end|That is the end of the story].
And when the stars came out, {A} and {B} were still laughing.
{B} smiled, and {A} smiled too.
They walked home [together|side by side|under the stars].
And everyone {P.at} was [happy|glad].
{A} never forgot that day.
"Thank you, my friend," said {A}. "[See you tomorrow|You are always welcome|I am so glad]!"
""".strip().splitlines()

# Closings of stories in which there is only one character.
CLOSINGS_ALONE = """
It was the best day of all.
And {A} was very happy.
{A} went home with a [big smile|warm heart|light heart].
That night, {A} slept very well.
[The end|That is the end of the story].
{A} never forgot that day.
And that was enough for {A}.
""".strip().splitlines()

MEET = "[Then|Soon|After a while|On the way|Just then], [{A.he} met {B.intro}|{B.intro} came by|{A.he} saw {B.intro}]."

# theme: (words for a request, whether B takes part, text)
PLOTS = {
    "lost": ("losing and finding {O.a}|{O.a} that was lost|a lost {O.n}", True, """
        {A.He} had {O.a}, and {A.he} [loved it very much|took it everywhere|kept it with great care].
        [One day|One morning|But one day|Then one evening], {O.the} was gone.
        "[Oh no|Oh dear]! Where is my {O.n}?" [cried|asked|said] {A}.
        {A.He} looked {P.spot}, but it was not there.
        ?{A.He} [looked everywhere|looked left and right|searched all day], but {A.he} could not find it.
        {A} [was very sad|began to cry|sat down and felt sad].
        {MEET}
        "[Why are you sad|What is wrong|Why do you cry]?" asked {B}.
        "I lost my {O.n}," said {A}.
        "[Do not worry|Do not be sad|Dry your tears]. [I will help you|We will find it together|Let us look together]," said {B}.
        They [looked and looked|searched together|went from place to place].
        [At last|Then|Suddenly|In the end], {B} [saw something {O.look}|found something {O.look}|called out] {P.spot2}. [It was {O.the}!|There was {O.the}!]
        ?{A} [jumped for joy|laughed with joy|could hardly believe it].
        "[Thank you|Thank you so much], {B.voc}!" said {A} [and hugged {B.him}|with a big smile|happily].
        """),
    "friend": ("making a friend|a new friend|two friends|friendship", True, """
        {A} [had no friends yet|was often alone|felt lonely|had nobody to play with].
        [One day|One afternoon|That day], {A.he} saw {B.intro} {P.at}.
        {A} [was shy|was a little afraid|did not know what to say], so {A.he} [hid {P.spot}|only watched|stood very still].
        But {B} [saw {A.him}|looked up|came closer] and smiled.
        "Hello! [My name is {B.call}|I am {B.call}]. [Who are you|What is your name|And who are you]?" [asked {B}|{B.he} said].
        "I am {A.call}," said {A} [softly|in a small voice|quietly].
        "Do you want to [play with my {O.n}|play with me|go to {Q.the} with me]?" asked {B}.
        {A} [nodded|said yes at once|smiled for the first time that day].
        They [played all day|ran and laughed|told each other stories] until [the sun went down|it was dark|they were tired].
        ?{B} gave {A} {O.a} [as a gift|to remember the day].
        ["Will you come back tomorrow?" asked {A}. "Of course," said {B}.|Now {A} was not alone any more.|{A} felt warm inside.]
        """),
    "rain": ("the rain|a rainy day|bad weather", True, """
        {A} wanted to go {Q.to}, but [dark clouds came|the sky turned grey|it began to rain].
        [Drip, drop, drip, drop! |]The rain fell [on the roofs|on the leaves|on everything] and {A} got [wet|very wet].
        {A.He} ran to find a dry place and sat {P.spot}.
        ?"[I do not like rain|This is a bad day|What a wet day]," said {A}.
        [Soon|Then|After a while], {B.intro} came, and {B.he} was wet too.
        "May I [sit here|wait here with you|come in]?" asked {B}.
        "[Of course|Yes, please|Come in]," said {A}. "There is room for two."
        They [told stories|sang songs|listened to the rain|counted the drops] and [forgot the time|were not bored at all|shared {S.a}].
        [At last|In the end|After an hour], the rain stopped and the sun came out.
        "Look! A rainbow!" [cried|called] {B}.
        They jumped [in the puddles|from puddle to puddle] and laughed.
        """),
    "snow": ("the snow|the first snow|a winter day", True, """
        [One morning|In the night|On a cold day], snow fell {P.at}.
        {A} [looked out|opened the door|rubbed {A.his} eyes]. Everything was white.
        "Snow! [Snow everywhere!|So much snow!]" [cried|called] {A}.
        {A.He} put on {A.his} warm {HAT} and went out.
        {B.intro} was [already there|outside too|standing in the snow].
        "Let us build a snowman," said {B}.
        They made [a big ball|one big ball and one small ball] of snow, and {A} found [two stones for the eyes|a carrot for the nose].
        ?{B} gave the snowman {B.his} {O.n}.
        The snowman looked [very funny|very proud|like an old king].
        [Their noses were cold|They were cold], but they [laughed all day|were happy].
        In the evening, they drank warm milk [by the fire|under a thick blanket].
        """),
    "wind": ("the wind|a windy day|a storm", True, """
        [One day|That day], a strong wind came {P.to}.
        [Whoosh! |]The wind took {A.his} {O} and carried it [up into the air|over the trees|far away].
        "[Stop|Come back], wind! That is my {O.n}!" [cried|shouted] {A}.
        {A.He} ran after it, all the way {Q.to}.
        There, {O.the} [hung in a tall tree|was stuck in a high tree], and {A} could not reach it.
        {MEET}
        "[I can help|I am good at climbing|I have an idea]," said {B}.
        {B} [climbed up|went up very carefully] and [brought {O.the} down|dropped {O.the} into the grass].
        "[How kind of you|Thank you]! Now I will hold it tight," said {A}.
        ?The wind laughed in the leaves and went away.
        """),
    "share": ("sharing|sharing {S.a}|{S.a}", True, """
        {A} had {S.a} for lunch. [It was the last one|It smelled very good|{A.He} was very hungry].
        [Just then|Then], {B.intro} came by. {B.He} looked [tired|hungry|thin and tired].
        "[I have not eaten all day|I am so hungry|I have nothing to eat]," said {B}.
        {A} looked at the {S.n}. [{A.He} wanted to keep it.|It was not very big.|{A.He} thought for a moment.]
        [Then|But then|In the end], {A.he} [broke it in two|cut it in half] and gave one half to {B}.
        "[For me|Is this for me|Really]?" asked {B}. "[Thank you|You are so kind]!"
        They sat {P.spot} and ate together.
        ?"[It tastes better with a friend|Half is enough|Food is best when we share it]," said {A}.
        [The next day|A week later], {B} came back with {O.a} for {A}.
        """),
    "journey": ("a journey to {Q.the}|a long trip|a journey", True, """
        {A} had never seen {Q.the}. [{A.He} dreamed of it every night.|{A.He} wanted to see it so much.]
        [One morning|So one day], {A.he} packed {S.a} and {O.a} and [set off|began to walk|went on {A.his} way].
        {A.He} [crossed a bridge|climbed a hill|went through a dark wood] and [followed a small path|walked past many fields|came to a crossroads].
        There {A.he} met {B.intro}.
        "[Where are you going|Where do you want to go]?" asked {B}.
        "To {Q.the}. Do you know the way?" asked {A}.
        "[Go left at the old tree|Follow the river|Follow the morning sun]," said {B}. "[May I come with you|I will show you]?"
        So they went on together. [The road was long, but they sang.|They shared the {S.n} and {TALK}.]
        [At last|In the evening|On the third day], they saw {Q.the}. It was [beautiful|bigger than a dream|quiet and full of light].
        "[It was worth every step|How lovely|I will never forget this]," said {A}.
        ?Then they [went home|walked back] under the stars.
        """),
    "repair": ("a broken {FIX}|repairing a {FIX}|a problem with a {FIX}", True, """
        [One day|One morning], the {FIX} {P.at} was broken.
        "[What shall we do?|How sad.|This is a problem.]" said {A}. "[We need the {FIX}|Everyone needs the {FIX}|Nobody can use it now]."
        {A.He} tried to repair it [alone|with {A.his} own hands|with a rope], but it [broke again|did not work|was too heavy].
        {A} [did not give up|sat down and thought|scratched {A.his} head].
        Then {B.intro} came by.
        "[Two are stronger than one|Let me help you|I have a hammer and some wood]," said {B}.
        {A} held the wood, and {B} [used the hammer|hit the nails]. [Bang, bang, bang!|Tap, tap, tap!]
        They worked [until noon|all day|for a long time].
        At last, the {FIX} was [as good as new|strong again|better than before].
        ?Everyone [came to look|clapped|thanked them].
        "[We did it|We make a good team]!" said {B}.
        """),
    "surprise": ("a surprise|a birthday|a party", True, """
        It was {A.his} birthday, but [nobody said a word|nobody was there|everyone was busy].
        "[Did they forget me|Has everyone forgotten|Does nobody remember]?" thought {A}. {A.He} felt [sad|lonely|a little sad].
        {A.He} [went for a walk|sat {P.spot}|walked slowly home].
        Then {B.intro} came [running|with a secret smile].
        "[Come quickly|Come with me|I need your help]!" said {B}. "[Close your eyes|Do not ask why|Follow me]."
        {B} led {A.him} {Q.to}. [It was very quiet.|There was no sound.]
        "Surprise!" [shouted|called] everyone.
        There was [a big cake|a cake with candles|music and cake], and {B} gave {A.him} {O.a}.
        {A} was so [happy|surprised] that {A.he} [could not speak|laughed and cried|danced].
        ?"[We did not forget you|How could we forget you]," said {B}.
        """),
    "cook": ("cooking {D.a}|{D.a}|making {D.a}", True, """
        {A} wanted to make {D.a}.
        {A.He} had {D.x}, but {A.he} had no {D.y}.
        So {A.he} went to {B.intro} and knocked on the door.
        "[Do you have some {D.y} for me|May I have some {D.y}|Can you give me some {D.y}]?" asked {A}.
        "Yes, [but I am hungry|of course]," said {B}. "[May I eat with you?|May I help you?|Let us cook together!]"
        They [mixed|put] everything in a big [bowl|pot], and {B} [stirred and stirred|stirred slowly|added a little salt].
        ?[Oh no! Some of it fell on the floor, and they laughed.|{A} tasted a spoonful. It was too hot!]
        Soon the {D.n} [was ready|smelled wonderful].
        They [sat down at the table|sat {P.spot}|sat by the fire] and ate [every bit|until they were full].
        "[This is the best {D.n} in the world|It is so good|Nothing tastes better]!" said {B}.
        """),
    "build": ("building {BUILD}|{BUILD}", True, """
        {A} had a [big plan|dream|good idea]. {A.He} wanted to build {BUILD}.
        [First|So], {A.he} [looked for wood|found some strong branches|brought wood and rope].
        {A.He} worked [all morning|for hours], but [everything fell down|it fell down again and again]. [Crash!|Oh no!]
        "[I cannot do it alone.|It is too hard for me.|What did I do wrong?]" said {A}.
        {B.intro} [had watched {A.him}|heard the noise|came to see].
        "[You must start at the bottom|We need a longer rope|Let us try it together]," said {B}.
        So {A} held [one end|the wood], and {B} [tied the rope|held the other end].
        [Step by step|Little by little|Piece by piece], it grew.
        In the evening, it was [finished|done|ready]. [It was a little crooked, but it was theirs.|It looked wonderful.]
        They sat [there|beside it] and watched [the sun go down|the first stars].
        """),
    "bedtime": ("bedtime|going to sleep|the night|the moon", True, """
        It was late, and the moon was [high|round|bright]. But {A} could not sleep.
        [{A.He} counted the stars|{A.He} turned left and right|{A.He} closed {A.his} eyes], but [it did not help|{A.he} was still awake].
        "[I am afraid of the dark|It is too quiet|I am not tired]," said {A}.
        {B.intro} heard {A.him} and came [closer|in softly].
        "[Shall I tell you a story|Listen to the wind|Look at the moon]," said {B}. "[The night is your friend|Soon you will sleep|There is nothing to fear]."
        {B} [sang a soft song. The song was slow and sweet.|told {A.him} about {Q.the}. It was a long story.|put a warm blanket over {A.him}.|sat down beside {A.him}.]
        ?[The night was quiet and soft.|The stars were shining.|The wind was still.]
        {A} [yawned|smiled and yawned] and [closed {A.his} eyes|fell asleep].
        "Good night, {A.voc}," [whispered|said] {B}.
        ?And {A} dreamed of {O.a}.
        """),
    "seed": ("a seed|a flower|planting a seed|growing a flower", True, """
        {A} found a [tiny|small|brown] seed {P.spot}.
        "[What will you become?|I will plant you,|What are you?]" said {A} to the seed.
        {A.He} put it in the [soft|dark] earth and gave it water [every day|every morning].
        [Days went by|A week went by], but nothing happened.
        "[Maybe it is asleep|It will never grow|It must be too cold]," {A} said [sadly|to {B.intro}].
        {B} [looked at the earth|smiled]. "[Be patient|Wait a little longer|Good things take time]," {B.he} said.
        So {A} waited. [The rain came, and the sun came.|The days grew longer and warmer.]
        Then one morning, there was a [small green leaf|tiny green leaf].
        [Soon|In the summer], it was a [tall yellow sunflower|big red flower|beautiful blue flower].
        ?Even the bees came to look at it.
        "[You were right|See what we have|It is the most beautiful flower]," said {A}.
        """),
    "race": ("a race|a race between two friends|winning and losing", True, """
        [One day|That morning], there was a race {P.at}. Everyone came to watch.
        {A} wanted to win, and {B.intro} wanted to win too.
        "[Ready|One, two, three], go!" [shouted the crowd|called the crowd].
        {A} was [very fast|ahead|in front]. But [then|suddenly], {A.he} heard a [cry|sound] behind {A.him}.
        {B} had [fallen down|hurt {B.his} foot|slipped in the mud].
        {A} [stopped|looked back]. [The finish was so close!|{A.He} could win now.|What should {A.he} do?]
        But {A.he} turned around and helped {B} up.
        "[You will lose the race!|Why did you stop?|Go on without me.]" said {B}.
        "[A friend is more than a race|I do not want to win like that|We will go together]," said {A}.
        Side by side, they [crossed the line|went to the finish], and everyone [cheered|clapped].
        ?They both got {O.a}.
        """),
    "brave": ("being brave|being afraid|courage|{FEAR}", True, """
        {A} was afraid of {FEAR}.
        [The others laughed, but {A} could not help it.|{A.He} never told anyone.|It made {A.him} feel very small.]
        One day, {A.he} heard [a cry|a small voice]. "Help! [Please help me!|Is anybody there?]"
        It was {B.intro}. {B.He} was [stuck {P.spot}|caught {P.spot}|all alone {P.spot}].
        To help {B.him}, {A} had to think no more of {FEAR}.
        {A.His} [legs shook|heart beat fast]. "[I can do it|One step, and one more|I must be brave]," {A.he} said.
        {A.He} took a deep breath and went on, [step by step|slowly|very carefully].
        Then {A.he} [pulled {B} out|reached {B}] and [they were both safe|brought {B.him} home].
        "You are [so brave|the bravest of all]!" said {B}.
        ?"[I was afraid|My heart is still beating fast]," said {A}. "But I did it."
        From that day on, {A} was not so afraid any more.
        """),
    "owner": ("finding {O.a}|{O.a}|somebody who found {O.a}", True, """
        {A} found {O.a} {P.spot}.
        "[How pretty!|What is this?|What a find!] [Whose {O.n} is it|Who has lost it]?" said {A}.
        {A.He} [wanted to keep it|liked it very much], but {A.he} [knew that somebody missed it|thought of its owner].
        {A.He} asked [the birds|everyone {P.at}|at every door], but nobody knew.
        Then {A.he} went {Q.to}. There sat {B.intro} with [tears in {B.his} eyes|a sad face].
        "[What is the matter|Why are you crying]?" asked {A}.
        "I have lost my {O.n}," said {B}. "[It was a gift from my grandmother|I looked for it everywhere]."
        "[Is this it?|Is it {O.look}?|I think I have it!]" said {A}[ and held it up|].
        "[Yes! That is it|My {O.n}]!" cried {B}. [{B.He} jumped for joy.|{B.His} eyes were shining.]
        ?"[You are honest and good|You are a true friend]," said {B}.
        """),
    "help": ("helping others|somebody who needed help|kindness", True, """
        On the way {Q.to}, {A} heard [a soft sound|somebody cry|a small voice].
        {B.intro} was [stuck in the mud|lying in the grass|sitting on a stone]. {B.He} had hurt {B.his} [foot|leg].
        "[Can you walk|Does it hurt]?" asked {A}.
        "[No, it hurts|Yes, it hurts a lot|I cannot get up]," said {B}.
        {A} [thought for a moment|did not wait]. {A.He} [brought some water|found a clean cloth|put cool leaves on it].
        Then {A.he} [helped {B} home|took {B} home], [slowly and carefully|step by step].
        Every day, {A.he} [came with {S.a}|came and told {B.him} a story].
        [Soon|After a week], {B} could [walk|run|dance] again.
        "[How can I thank you|I will never forget that]," said {B}.
        "[That is what friends do|You would do the same for me]," said {A}.
        """),
    "learn": ("learning to {SKILL}|somebody who wanted to {SKILL}", True, """
        {A} wanted to learn to {SKILL}.
        [All the others could do it|Everyone else could {SKILL}], but {A} could not.
        {A.He} tried once. [It went wrong.|It did not work.] {A.He} tried again, [and it went wrong again|but it was so hard].
        "[I will never learn it|It is too hard|I give up]," said {A}.
        {B.intro} [sat down beside {A.him}|had seen it all|smiled].
        "[I could not do it at first either|Nobody can do it on the first day|I will show you how]," said {B}. "[Try it slowly|Try once more|Do it a little every day]."
        So {A} tried [every day|again and again], [in the sun and in the rain|in the morning and in the evening].
        And one day, [it worked|{A.he} could do it]!
        "Look, {B.voc}! I can {SKILL}!" [called|cried] {A}.
        {B} [clapped|was very proud|laughed with joy].
        """),
    "star": ("a star|a wish|a falling star", True, """
        One night, {A} saw a [bright|small] light fall from the sky. It fell down [somewhere|] {P.at}.
        {A} [went to look|ran to see it|could not wait]. {P.spot}, there lay a little star.
        "[I want to go home|I am so far from home|I fell down]," said the star [softly|in a thin voice].
        "[Do not be afraid|I will help you]," said {A}. But how do you [bring|carry] a star back to the sky?
        {A.He} asked {B.intro}.
        "[We need the highest hill|We must go up the mountain|The moon can help]," said {B}.
        Together, they [carried the star|took the star] up, [higher and higher|all through the night].
        At the top, the star [began to shine|grew bright] and rose into the sky.
        "Thank you!" it called. "[Make a wish|You may have one wish]!"
        {A} [looked at {B} and smiled|thought for a moment]. "[I have all I need|I wish that we stay friends]," {A.he} said.
        """),
    "way": ("getting lost in the fog|finding the way home|losing the way", True, """
        {A} [walked too far|did not look at the path], and [soon|then] {A.he} was lost.
        [The fog was thick and white.|It was getting dark.|All the trees looked the same.]
        "[Which way is home|Where am I]?" [said|whispered] {A}.
        {A.He} [went left, then right|walked in a circle], but {A.he} did not know the way.
        Then {A.he} [saw a small light|heard a bell|heard a song] far away.
        {A.He} went closer. It was {B.intro} with {O.a}.
        "[You look lost.|Are you lost?|Have you lost your way?]" said {B}. "[Where do you live|Where is your home]?"
        "I live {P.at}," said {A}.
        "[I know the way|It is not far]. [Stay close to me|Come with me]," said {B}.
        They [walked side by side|went on together], and [soon|at last] {A} saw {A.his} home.
        ?There was warm [soup|tea|milk] for both of them.
        """),
    "sorry": ("saying sorry|telling the truth|a mistake", True, """
        {A} was playing with {B.intro}. {B} had {O.a}.
        [Crack! |Oh no! ]{A} [dropped {O.the}|fell on {O.the}], and it broke.
        [{B} had not seen it.|{B} was not looking.] {A} hid {O.the} {P.spot}.
        "[Have you seen my {O.n}|Where is my {O.n}]?" asked {B}.
        "[No|I do not know]," said {A}. But {A.he} felt [bad|heavy inside|very bad].
        That night, {A} could not sleep. [In the morning|The next day], {A.he} went to {B}.
        "I broke your {O.n}. [I am so sorry|I am sorry, and I should have told you]," {A.he} said.
        {B} was [quiet for a moment|sad, but not angry]. "[Thank you for telling me|It was brave to tell me]," said {B}.
        Together, they [mended {O.the}|put the pieces together] with [glue and string|a bit of glue].
        It was not [perfect|like new], but [they were friends again|it was good enough].
        """),
    "day": ("an ordinary day|a quiet day|a day {P.at}", False, """
        [In the morning|Early in the morning], {A} [washed {A.his} face|opened {A.his} eyes|drank some cold water] and [ate {S.a}|ate some {A.food}].
        Then {A.he} [went for a walk|took {A.his} {O.n} and went out].
        At noon, the sun was [hot|high], so {A.he} [rested {P.spot}|slept a little {P.spot}].
        In the afternoon, {A} [watched the clouds. One looked like a {C1}.|listened to the wind. It sounded like a song.|talked to the trees. It was very peaceful.]
        {A.He} [found {O.a}|picked some flowers|made a crown of leaves] and [laughed|smiled].
        In the evening, the sky turned [red|orange|pink and gold].
        {A} went back to {A.his} {A.home} and [lay down|yawned].
        "[It was a small day, but a good one|Nothing happened today, and that was nice|Tomorrow will be good too]," said {A}.
        """),
    "letter": ("a letter|a letter from a friend|an invitation", True, """
        [One day|One morning], there was a letter for {A}.
        {A} opened it. "[Please come to {Q.the}|Come and see me. I live {Q.at}]," it said. It was from {B.intro}.
        "[I have not seen {B} for so long|How nice to hear from {B}]," said {A}.
        {A.He} [took {O.a} as a gift|packed {O.a} as a gift] and [went off at once|set off].
        The way was long. {A} [walked over the hills|went through the woods] and [slept under a tree|rested by a stream].
        [At last|The next day], {A.he} stood {Q.at}.
        "You came!" [cried|called] {B} and [ran to {A.him}|hugged {A.him}].
        {A} gave {B.him} {O.the}. [{B} loved it.|{B} was so happy.]
        They [drank tea|ate {S.a}] and [talked until late|told old stories] by the fire.
        """),
    "mystery": ("a strange sound|a mystery|a secret", True, """
        [Every night|One night], there was a strange sound {P.at}. [Tap, tap, tap!|Hoo, hoo!|Clink, clink!]
        "[What is that|Who is there]?" [whispered|asked] {A}.
        {A.He} took {A.his} {O.n} and went [outside|to look], [very quietly|on soft feet].
        [{A.He} looked {P.spot}. Nothing was there.|There was nobody {P.spot}.]
        Then {A.he} heard it again. It came from [behind the {FIX}|a dark corner]!
        {A} took a deep breath and looked.
        There sat {B.intro}. {B.He} was [playing with {A.his} old cup|trying to open a nut|looking for {B.his} way home].
        "[Was it you|Did you make that sound]?" asked {A}.
        "[Yes, I am sorry.|Oh, did I wake you?]" said {B}. "[I only wanted a friend|I could not sleep]."
        {A} [laughed|had to laugh]. "[Then come and play in the daytime|You can stay with me]!"
        """),
    "music": ("music|a song|dancing", True, """
        {A} had {I}. {A.He} played it [every day|all the time|from morning to night].
        [At first|In the beginning], it sounded [terrible|very strange], and [the birds flew away|everyone ran away].
        But {A} [played on|did not stop], and [day by day|week by week] it sounded better.
        One evening, {B.intro} stopped to listen.
        "[What a lovely song|How beautiful]," said {B}. "[May I sing with you?|I want to dance to it!]"
        {A} played, and {B} [sang|danced|clapped].
        [One by one|Soon], the others came: [a mouse, a frog and two birds|the old people and the children|big ones and small ones].
        They [danced until the moon was high|danced in a circle|sang together].
        ?"[Play it again|One more song]!" they called.
        "[Music is for everyone|Every song needs a friend]," said {A}.
        """),
    "picnic": ("a picnic|a day {Q.at}|lunch outside", True, """
        {A} and {A.his} friend {B}, {B.a}, [planned a picnic|wanted to eat outside].
        They put {S.a} and {D.a} in a basket and went {Q.to}.
        ?{B} carried the basket, and {A} carried {O.a}.
        They sat down {Q.spot}. [The sun was warm.|It was a lovely place.]
        But when they opened the basket, it was empty! [There was a hole in it.|Everything was gone.]
        "[Where is our lunch|Who ate our food]?" asked {B}.
        They looked back. [A long line of ants|A row of little birds] was [eating|carrying away] the last crumbs.
        {A} [looked at {B}|put {A.his} hand over {A.his} mouth]. Then they both began to laugh.
        "[They were hungry too|Now they have a picnic|At least somebody is full]," said {A}.
        So they [picked some berries|ate some wild plums] and [were happy|had a good time].
        """),
    "treasure": ("a treasure|a treasure map|a box with a secret", True, """
        {A} found an old map {P.spot}. There was a red cross on it.
        "A treasure!" said {A}. {A.He} [showed it to|ran to] {B.intro}[, who loved secrets|, who lived next door].
        [Together|With a rope and a lamp], they followed the map {Q.to}.
        They walked [ten steps to the left|past three tall trees] and [five steps to the right|around a big rock].
        "[Here it must be|Dig here]," said {B}.
        They dug and dug. [Clonk!|Then {A} hit something hard.] It was a box!
        "[Open it|Is it gold]?" asked {B}.
        But in the box, there was only {O.a} and a [letter|small note].
        It said: "[The real treasure is the friend who came with you|The best treasure is a friend]."
        {A} and {B} looked at each other and [laughed|smiled].
        """),
    "swap": ("swapping things|a swap|two friends who swapped their things", True, """
        {A} had {O.a}, and {B.intro} had {O2.a}.
        {A} looked at {O2.the} [every day|all day]. "[I wish I had that|I want one too]," {A.he} said.
        "[Let us swap!|Do you want to swap?]" [asked|said] {B}. "You take my {O2.n}, and I take your {O.n}."
        [So they did.|{A} was happy at once.]
        {A} [played with {O2.the}|took {O2.the} home]. But [in the evening|after a day], {A.he} missed {A.his} {O.n}.
        [The next day|In the morning], {B} stood at the door. {B.He} held {O.the} in front of {B.him}.
        "[I missed my {O2.n}|I could not sleep without my {O2.n}]," said {B}.
        "And I missed my {O.n}," said {A}, and they [swapped back|laughed].
        ?"We can always play with both," said {B}.
        """),
}

FILLERS = {
    "FIX": "bridge|gate|fence|roof|wheel|well|door|boat|mill|ladder",
    "BUILD": "a tree house|a raft|a small bridge|a tower|a bird house|a hut|a swing|a big castle of sand",
    "FEAR": "the dark|deep water|thunder|high places|loud noises|the big forest|strangers|spiders",
    "SKILL": "swim|sing|whistle|read|dance|paint|climb|skate|juggle|write|cook|ride a bicycle",
    "HAT": "hat|scarf|coat|boots",
    "TALK": "talked about many things|told jokes|sang old songs|became friends",
    "C1": "sheep|fish|big boat|dragon|castle|pillow",
    "I": "an old flute|a small drum|a violin|an old guitar|a tiny trumpet",
}

# Things that fit a plot, where not every thing does.
PLOT_THINGS = {
    "wind": "kite hat scarf umbrella ribbon feather map blanket basket".split(),
    "sorry": "kite lantern drum bell boat basket umbrella cup wagon clock mirror bucket doll flute whistle shell pencil".split(),
    "mystery": "lantern umbrella whistle bell bucket blanket".split(),
    "way": "lantern bell whistle drum flute map".split(),
    "snow": "hat scarf button bucket ribbon feather".split(),
}

# Plots that need the open air, places that are not, and places without snow.
OUTDOOR = {"rain", "snow", "wind", "race", "seed", "star", "build", "picnic", "way"}
INDOOR_PLACES = {"library", "school", "castle"}
WARM_PLACES = {"desert", "jungle", "island", "beach"}

# Plots that end by themselves.
ENDED = {"bedtime", "day"}
