-- Departments, categories and leaves get consecutive ids, level by level.
with named (level, above, name) as (
    select distinct 1, null, department from shop_load.taxonomy
    union all select 2, department, category from shop_load.taxonomy
    union all select 3, category, noun || case right(noun, 1) when 's' then '' else 's' end
        from shop_load.taxonomy, unnest(nouns) as noun
), numbered as (
    select row_number() over (order by level, above collate "C", name collate "C") as id, * from named
)
insert into shop.categories (id, parent_id, name, slug, description)
select c.id, p.id, c.name, shop_load.slug(c.name),
    case c.level
        when 1 then 'All for ' || lower(c.name)
        else c.name || ' in ' || lower(c.above)
    end
from numbered c left join numbered p on p.name = c.above and p.level = c.level - 1;

-- The leaves with all that their products need, numbered without gaps.
create table shop_load.leaves as
select row_number() over (order by c.id) as n, c.id as category_id, noun, t.category, t.base_price, t.materials, t.sizes
from shop_load.taxonomy t, unnest(nouns) as noun
join shop.categories c on c.name = noun || case right(noun, 1) when 's' then '' else 's' end;
alter table shop_load.leaves add primary key (n);

insert into shop.brands (id, name, country)
select n, name, shop_load.pick('{AT,CH,CZ,DE,DK,EE,ES,FI,FR,IT,JP,NL,NO,PT,SE}', n, 1)
from unnest(shop_load.brand_names()) with ordinality as b (name, n);

insert into shop.collections (id, slug, name, description)
select n, shop_load.slug(name), name, 'Picked by our team: ' || lower(name)
from unnest('{Gifts under 25,New Home,Back to School,Summer by the Lake,Winter Warmers,Sunday Breakfast,Small Spaces,Working from Home,Made to Last,Plastic Free,On the Road,For Makers,Rainy Days,Garden Party,Starter Sets,Quiet Evenings,Kids'' Corner,Staff Favourites,Second Spring,Designer Picks}'::text[])
    with ordinality as c (name, n);
