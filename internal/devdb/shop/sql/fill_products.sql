insert into shop.products (id, category_id, brand_id, sku, name, description, tags, attributes, price, stock, active, created_at)
select p.id, l.category_id, b.id,
    upper(left(b.name, 3)) || '-' || lpad(p.id::text, 6, '0'),
    b.name || ' ' || adjective || ' ' || material || ' ' || l.noun || ' ' || size,
    shop_load.pick(shop_load.openings(), p.id, 11) || ': this ' || lower(adjective) || ' ' || lower(l.noun) || ' is made for '
        || shop_load.pick(shop_load.uses(), p.id, 12) || ', and ' || shop_load.pick(shop_load.features(), p.id, 13) || '. '
        || initcap(left(feature, 1)) || substr(feature, 2) || '. ' || shop_load.pick(shop_load.closings(), p.id, 15),
    array[label, shop_load.slug(material), shop_load.slug(l.category)],
    jsonb_build_object('colour', shop_load.pick(shop_load.colours(), p.id, 17), 'material', lower(material), 'size', size,
        'weight_g', 50 + floor(shop_load.chance(p.id, 18) * 9950)::integer, 'warranty_years', 1 + floor(shop_load.chance(p.id, 19) * 5)::integer,
        'dimensions', jsonb_build_object('width', 5 + floor(shop_load.chance(p.id, 20) * 95)::integer, 'height', 5 + floor(shop_load.chance(p.id, 21) * 95)::integer)),
    floor(l.base_price * (0.6 + shop_load.chance(p.id, 22) * 1.6))::numeric + 0.99,
    floor(shop_load.chance(p.id, 23) * 500)::integer,
    shop_load.chance(p.id, 24) < 0.97,
    timestamptz '2022-01-01 08:00+00' + floor(shop_load.chance(p.id, 25) * 3 * 365 * 86400) * interval '1 second'
from (
    select n as id, shop_load.pick(shop_load.adjectives(), n, 3) as adjective, shop_load.pick(shop_load.features(), n, 14) as feature,
        shop_load.pick(shop_load.labels(), n, 16) as label,
        1 + floor(shop_load.chance(n, 1) * (select count(*) from shop_load.leaves))::bigint as leaf,
        1 + floor(shop_load.chance(n, 2) * shop_load.chance(n, 9) * (select count(*) from shop.brands))::bigint as brand
    from generate_series($1::bigint, $2::bigint) as n
) p
join shop_load.leaves l on l.n = p.leaf
join shop.brands b on b.id = p.brand,
lateral (select shop_load.pick(l.materials, p.id, 4) as material, shop_load.pick(l.sizes, p.id, 5) as size) v
