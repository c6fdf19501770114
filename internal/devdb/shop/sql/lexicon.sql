-- What the rows are made of: chance that is the same on every run and machine,
-- and words.

create schema shop_load;

-- A number in [0, 1) that depends on its arguments alone. Hash partitioning
-- rests on this hash, so it stays the same from version to version.
create function shop_load.chance(id bigint, salt bigint) returns double precision
language sql immutable parallel safe
return (hashint8extended(id, salt) & 4294967295)::double precision / 4294967296;

-- One of the words.
create function shop_load.pick(words text[], id bigint, salt bigint) returns text
language sql immutable parallel safe
return words[1 + floor(shop_load.chance(id, salt) * cardinality(words))::integer];

-- An id from 1 to n: few come often and many seldom. Those that come often are
-- spread over the range, save the first, which comes most.
create function shop_load.popular(n bigint, id bigint, salt bigint) returns bigint
language sql immutable parallel safe
return 1 + floor(n * shop_load.chance(id, salt) * shop_load.chance(id, salt) * shop_load.chance(id, salt))::bigint
    * 48271 % n;

-- The same with less of a difference between them.
create function shop_load.frequent(n bigint, id bigint, salt bigint) returns bigint
language sql immutable parallel safe
return 1 + floor(n * shop_load.chance(id, salt) * shop_load.chance(id, -salt))::bigint * 48271 % n;

create function shop_load.slug(name text) returns text
language sql immutable parallel safe
return trim(both '-' from regexp_replace(lower(name), '[^a-z0-9]+', '-', 'g'));

-- How many rows of each to make.
create table shop_load.sizes (
    products bigint, customers bigint, orders bigint, reviews bigint, members bigint
);

create table shop_load.taxonomy (
    department text, category text, base_price integer, nouns text[], materials text[], sizes text[]
);
insert into shop_load.taxonomy values
('Kitchen', 'Cookware', 45, '{Frying Pan,Saucepan,Stockpot,Wok,Casserole}', '{Cast-Iron,Stainless-Steel,Copper,Ceramic,Aluminium}', '{20 cm,24 cm,28 cm}'),
('Kitchen', 'Knives and Boards', 35, '{Chef''s Knife,Bread Knife,Paring Knife,Cutting Board}', '{Carbon-Steel,Damascus,Stainless-Steel,Walnut}', '{Small,Medium,Large}'),
('Kitchen', 'Coffee and Tea', 60, '{Espresso Machine,Coffee Grinder,Teapot,Kettle,French Press}', '{Glass,Steel,Enamel,Porcelain}', '{0.5 l,1 l,1.5 l}'),
('Kitchen', 'Tableware', 25, '{Dinner Plate,Soup Bowl,Mug,Wine Glass,Cutlery Set}', '{Stoneware,Porcelain,Crystal,Bamboo}', '{Set of 2,Set of 4,Set of 6}'),
('Living', 'Seating', 280, '{Armchair,Sofa,Footstool,Rocking Chair,Bench}', '{Linen,Velvet,Leather,Oak}', '{One Seat,Two Seats,Three Seats}'),
('Living', 'Lighting', 70, '{Floor Lamp,Table Lamp,Pendant Light,Wall Light}', '{Brass,Paper,Glass,Rattan}', '{Warm White,Daylight,Dimmable}'),
('Living', 'Textiles', 40, '{Throw Blanket,Cushion,Curtain,Rug}', '{Wool,Cotton,Linen,Jute}', '{50 cm,140 cm,200 cm}'),
('Living', 'Decoration', 28, '{Vase,Picture Frame,Candle Holder,Wall Clock,Mirror}', '{Ceramic,Walnut,Brass,Concrete}', '{Small,Medium,Large}'),
('Garden', 'Garden Tools', 30, '{Spade,Rake,Pruning Shears,Wheelbarrow,Watering Can}', '{Forged,Ash-Handled,Galvanised,Stainless-Steel}', '{Short,Standard,Long}'),
('Garden', 'Planters', 26, '{Plant Pot,Raised Bed,Hanging Basket,Window Box}', '{Terracotta,Zinc,Cedar,Fibrestone}', '{20 cm,40 cm,60 cm}'),
('Garden', 'Outdoor Furniture', 190, '{Deck Chair,Garden Table,Parasol,Hammock}', '{Teak,Acacia,Steel,Canvas}', '{Two Persons,Four Persons,Six Persons}'),
('Garden', 'Grilling', 120, '{Charcoal Grill,Gas Grill,Smoker,Fire Pit}', '{Enamel,Cast-Iron,Corten,Stainless-Steel}', '{Compact,Family,Party}'),
('Sports', 'Cycling', 85, '{Bicycle Helmet,Pannier Bag,Bike Light,Floor Pump,Saddle}', '{Carbon,Alloy,Canvas,Leather}', '{S,M,L}'),
('Sports', 'Camping', 110, '{Tent,Sleeping Bag,Camping Stove,Headlamp,Trekking Poles}', '{Ripstop,Down,Titanium,Aluminium}', '{One Person,Two Persons,Four Persons}'),
('Sports', 'Fitness', 50, '{Yoga Mat,Kettlebell,Resistance Band,Skipping Rope,Foam Roller}', '{Cork,Cast-Iron,Latex,Rubber}', '{Light,Medium,Heavy}'),
('Sports', 'Water Sports', 90, '{Paddle Board,Swim Goggles,Wetsuit,Dry Bag}', '{Neoprene,Inflatable,Silicone,Recycled}', '{S,M,L}'),
('Clothing', 'Jackets', 130, '{Rain Jacket,Parka,Fleece Jacket,Denim Jacket,Blazer}', '{Wool,Waxed-Cotton,Recycled,Merino}', '{S,M,L,XL}'),
('Clothing', 'Shirts', 45, '{Oxford Shirt,T-Shirt,Polo Shirt,Flannel Shirt}', '{Organic-Cotton,Linen,Merino,Hemp}', '{S,M,L,XL}'),
('Clothing', 'Shoes', 105, '{Running Shoe,Hiking Boot,Sneaker,Loafer,Sandal}', '{Leather,Suede,Mesh,Canvas}', '{EU 38,EU 40,EU 42,EU 44}'),
('Clothing', 'Accessories', 32, '{Scarf,Belt,Beanie,Gloves,Backpack}', '{Cashmere,Leather,Wool,Canvas}', '{One Size,S,L}'),
('Electronics', 'Audio', 140, '{Headphones,Earbuds,Bookshelf Speaker,Turntable,Soundbar}', '{Wireless,Studio,Walnut,Noise-Cancelling}', '{Black,Silver,White}'),
('Electronics', 'Computing', 75, '{Keyboard,Mouse,Monitor Stand,Webcam,USB Hub}', '{Mechanical,Ergonomic,Aluminium,Wireless}', '{Compact,Standard,Pro}'),
('Electronics', 'Smart Home', 65, '{Smart Plug,Thermostat,Door Sensor,Security Camera}', '{Wireless,Battery-Powered,Solar,Zigbee}', '{Single,Pack of 2,Pack of 4}'),
('Electronics', 'Photography', 160, '{Tripod,Camera Bag,Lens Filter,Studio Light}', '{Carbon,Canvas,Aluminium,Optical-Glass}', '{Travel,Standard,Studio}'),
('Books', 'Fiction', 16, '{Novel,Crime Story,Short Stories,Fairy Tales}', '{Hardcover,Paperback,Illustrated,Annotated}', '{English,German,French}'),
('Books', 'Non-Fiction', 24, '{Cookbook,Travel Guide,Biography,Field Guide,Atlas}', '{Hardcover,Paperback,Illustrated,Pocket}', '{English,German,French}'),
('Books', 'Stationery', 12, '{Notebook,Fountain Pen,Desk Planner,Sketchbook}', '{Recycled,Leather,Brass,Linen}', '{A6,A5,A4}'),
('Toys', 'Building and Making', 34, '{Building Blocks,Marble Run,Model Train,Craft Kit}', '{Wooden,Magnetic,Recycled,Beech}', '{50 Pieces,100 Pieces,200 Pieces}'),
('Toys', 'Games and Puzzles', 27, '{Board Game,Jigsaw Puzzle,Card Game,Chess Set}', '{Wooden,Cooperative,Travel,Classic}', '{2 Players,4 Players,6 Players}'),
('Toys', 'Soft Toys', 22, '{Teddy Bear,Plush Rabbit,Hand Puppet,Rag Doll}', '{Organic-Cotton,Mohair,Linen,Wool}', '{20 cm,35 cm,50 cm}'),
('Beauty', 'Skin Care', 21, '{Face Cream,Body Lotion,Hand Balm,Cleansing Oil,Soap Bar}', '{Almond,Calendula,Aloe,Oat}', '{50 ml,100 ml,250 ml}'),
('Beauty', 'Bath', 29, '{Bath Towel,Bathrobe,Bath Salts,Sponge}', '{Organic-Cotton,Bamboo,Linen,Sea}', '{Small,Medium,Large}'),
('Beauty', 'Hair Care', 24, '{Shampoo,Conditioner,Hair Brush,Hair Dryer}', '{Argan,Rosemary,Boar-Bristle,Ionic}', '{100 ml,250 ml,500 ml}'),
('Workshop', 'Hand Tools', 38, '{Hammer,Screwdriver Set,Hand Saw,Chisel,Spirit Level}', '{Forged,Chrome-Vanadium,Beech,Japanese}', '{Light,Standard,Heavy}'),
('Workshop', 'Power Tools', 125, '{Cordless Drill,Jigsaw,Orbital Sander,Circular Saw}', '{Brushless,Compact,Corded,Professional}', '{12 V,18 V,36 V}'),
('Workshop', 'Storage', 42, '{Tool Box,Workbench,Shelf Unit,Drawer Cabinet}', '{Steel,Beech,Galvanised,Birch}', '{Small,Medium,Large}');

create function shop_load.adjectives() returns text[] language sql immutable parallel safe
return '{Compact,Classic,Everyday,Lightweight,Rugged,Slim,Handmade,Vintage,Modern,Nordic,Quiet,Folding,Premium,Essential,Heritage,Artisan,Urban,Alpine,Coastal,Minimal,Deluxe,Portable,Durable,Elegant,Rustic,Signature,Studio,Weekend,Pocket,Grand,Prime,Pure,Solid,Swift,Timeless,True}'::text[];

create function shop_load.colours() returns text[] language sql immutable parallel safe
return '{black,white,sand,olive,navy,rust,sage,charcoal,cream,terracotta,sky,plum,mustard,forest,natural,rose}'::text[];

create function shop_load.labels() returns text[] language sql immutable parallel safe
return '{new,sale,eco,handmade,gift,bestseller,organic,recycled,limited,outdoor,indoor,travel,kids,vegan,fair-trade,refurbished,small-batch,spare-parts,made-in-europe,plastic-free,waterproof,washable,compact,premium,budget,summer,winter,office,studio,starter}'::text[];

create function shop_load.openings() returns text[] language sql immutable parallel safe
return array['A companion for years', 'Made for daily use', 'Designed with a light hand', 'Built to be repaired', 'A quiet favourite of our customers',
    'Small enough for any home', 'Tested by professionals', 'Drawn by a family workshop', 'An old idea, done well', 'The one we use ourselves',
    'Made in small batches', 'Simple from the outside, clever within', 'Everything needed and nothing more', 'Finished by hand', 'Ready when you are'];

create function shop_load.features() returns text[] language sql immutable parallel safe
return array['the surface resists scratches and stains', 'it cleans in seconds under running water', 'the handle stays cool and sits well in the hand',
    'all parts can be ordered one by one', 'it packs flat and weighs next to nothing', 'the seams are sewn twice where it matters',
    'rounded edges keep small fingers safe', 'the finish grows more beautiful with age', 'no glue and no hidden screws were used',
    'it stands firmly on uneven ground', 'the battery lasts through a long weekend', 'it works left-handed just as well',
    'the colour does not fade in the sun', 'two sizes nest into each other to save room', 'the mechanism has been tested fifty thousand times',
    'it dries quickly and keeps its shape', 'a soft lining protects what is inside', 'the lid closes tightly and opens with one hand',
    'rain and frost leave it unimpressed', 'it fits standard accessories of other makers', 'the weight is balanced to spare the wrist',
    'it comes with a pouch of recycled cotton', 'the wood is from certified forests nearby', 'it runs so quietly that conversation goes on'];

create function shop_load.uses() returns text[] language sql immutable parallel safe
return array['busy mornings', 'long evenings with friends', 'small kitchens', 'the first flat', 'weekends in the mountains', 'rainy days', 'the daily commute',
    'family dinners', 'the home office', 'a day at the lake', 'travelling light', 'beginners and experts alike', 'gardens and balconies', 'a well-earned rest', 'children of all ages'];

create function shop_load.closings() returns text[] language sql immutable parallel safe
return array['Delivered in recycled cardboard.', 'Comes with a booklet on care and repair.', 'Spare parts are kept for ten years.', 'Makes a fine present.',
    'Goes well with the rest of the series.', 'Every piece is slightly different.', 'Made without plastic.', 'Returned pieces find a second home.',
    'Awarded for its design in 2023.', 'Part of the price goes to reforestation.'];

create function shop_load.brand_names() returns text[] language sql immutable parallel safe
return '{Norlund,Bergamo,Halvar,Tessel,Kirin,Oakfield,Marlow,Lumen,Brisa,Ferrant,Solvei,Quill,Hearth,Arden,Mistral,Copperline,Tidewater,Juniper,Foxglove,Granit,Velo,Sundal,Pike,Orchard,Linden,Basalt,Cinder,Drift,Elmwood,Fjord,Gable,Harrow,Indigo,Kestrel,Larch,Meadow,Nimbus,Onyx,Pebble,Quarry,Rowan,Saffron,Thistle,Umber,Vesper,Willow,Yarrow,Zephyr,Alder,Birch,Cobalt,Dune,Ember,Flint,Grove,Hazel,Ivory,Jasper,Koto,Laurel}'::text[];

create function shop_load.first_names() returns text[] language sql immutable parallel safe
return '{Ada,Amir,Anna,Aylin,Ben,Bruno,Carla,Chen,Clara,David,Diego,Elena,Emil,Emma,Eva,Felix,Fatima,Greta,Hana,Hugo,Ida,Ines,Ivan,Jan,Jonas,Julia,Kai,Karim,Lara,Lea,Leo,Lina,Luca,Maja,Marco,Maria,Mia,Mila,Nadia,Nils,Noah,Nora,Olga,Omar,Paul,Pia,Priya,Rosa,Sam,Sara,Sofia,Tara,Theo,Tim,Uma,Vera,Viktor,Yara,Yuki,Zoe}'::text[];

create function shop_load.last_names() returns text[] language sql immutable parallel safe
return '{Adler,Almeida,Andersson,Bauer,Bernard,Bianchi,Brandt,Costa,Dahl,Demir,Dubois,Eriksen,Ferrari,Fischer,Garcia,Girard,Haas,Hansen,Horvat,Ito,Jansen,Kaya,Keller,Kim,Klein,Kowalski,Kumar,Larsen,Laurent,Lopez,Maier,Marino,Martin,Meyer,Moreau,Moser,Nagy,Nguyen,Novak,Olsen,Pereira,Peters,Petrov,Popescu,Ricci,Rossi,Santos,Sato,Schmid,Silva,Singh,Sokolov,Steiner,Tanaka,Torres,Vogel,Weber,Wagner,Wolf,Yilmaz}'::text[];

create function shop_load.streets() returns text[] language sql immutable parallel safe
return '{Garden Street,Mill Lane,Station Road,Church Street,Park Avenue,Harbour Road,Linden Street,School Lane,Market Square,River Walk,Hill Road,Castle Street,Forest Way,Bridge Street,Orchard Lane,Meadow Road,Lake View,Rose Street,Old Town Road,Sunny Side}'::text[];

-- City, postcode area and country belong together.
create function shop_load.cities() returns text[] language sql immutable parallel safe
return '{Amsterdam|10|NL,Athens|11|GR,Barcelona|08|ES,Berlin|10|DE,Bergen|50|NO,Bologna|40|IT,Bordeaux|33|FR,Brno|60|CZ,Brussels|10|BE,Cologne|50|DE,Copenhagen|21|DK,Dublin|02|IE,Ghent|90|BE,Graz|80|AT,Hamburg|20|DE,Helsinki|00|FI,Krakow|30|PL,Leipzig|04|DE,Lisbon|11|PT,Ljubljana|10|SI,Lyon|69|FR,Madrid|28|ES,Malmo|21|SE,Milan|20|IT,Munich|80|DE,Oslo|01|NO,Paris|75|FR,Porto|40|PT,Prague|11|CZ,Riga|10|LV,Rome|00|IT,Rotterdam|30|NL,Stockholm|11|SE,Tallinn|10|EE,Turin|10|IT,Utrecht|35|NL,Valencia|46|ES,Vienna|10|AT,Vilnius|01|LT,Zurich|80|CH}'::text[];

create function shop_load.verdicts(rating integer) returns text[] language sql immutable parallel safe
return case
    when rating >= 5 then array['Love it', 'Better than I hoped', 'Worth every cent', 'Would buy again', 'Perfect', 'Simply well made', 'My new favourite', 'Five stars and more']
    when rating = 4 then array['Very good', 'Nearly perfect', 'Solid choice', 'Happy with it', 'Good value', 'Does what it should']
    when rating = 3 then array['It is all right', 'Mixed feelings', 'Average', 'Does the job', 'Expected a bit more']
    else array['Disappointed', 'Not for me', 'Broke too soon', 'Sent it back', 'Looks better in the pictures']
end;

create function shop_load.impressions() returns text[] language sql immutable parallel safe
return array['It arrived two days early and well packed.', 'The quality is what I had hoped for.', 'I use it every single day.', 'My partner wants one too.',
    'The colour is a little darker than in the picture.', 'Setting it up took five minutes.', 'The size is just right for our flat.', 'Customer service answered within the hour.',
    'After three months it still looks new.', 'I bought the second one as a present.', 'The manual could be clearer.', 'It is lighter than expected.',
    'You feel that somebody cared about the details.', 'The packaging was free of plastic.', 'For this price there is nothing better.', 'The children have claimed it.',
    'It replaced one that lasted twenty years.', 'A small scratch on arrival, but it works.', 'I had doubts at first.', 'It needs a little care, which I do not mind.'];
