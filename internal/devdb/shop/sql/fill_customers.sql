insert into shop.customers (id, email, name, phone, address, newsletter, joined_at)
select id, lower(first || '.' || last) || '.' || id || '@example.' || shop_load.pick('{com,net,org}', id, 3), first || ' ' || last,
    case when shop_load.chance(id, 4) < 0.7 then '+' || 30 + floor(shop_load.chance(id, 5) * 19)::integer || ' 555 ' || lpad(floor(shop_load.chance(id, 6) * 1000000)::text, 6, '0') end,
    jsonb_build_object('street', shop_load.pick(shop_load.streets(), id, 7), 'number', 1 + floor(shop_load.chance(id, 8) * 150)::integer,
        'postcode', split_part(city, '|', 2) || lpad(floor(shop_load.chance(id, 9) * 1000)::text, 3, '0'),
        'city', split_part(city, '|', 1), 'country', split_part(city, '|', 3)),
    shop_load.chance(id, 11) < 0.4,
    timestamptz '2022-01-01 08:00+00' + floor(shop_load.chance(id, 12) * 730 * 86400) * interval '1 second'
from (
    select n as id, shop_load.pick(shop_load.first_names(), n, 1) as first, shop_load.pick(shop_load.last_names(), n, 2) as last,
        shop_load.pick(shop_load.cities(), n, 10) as city
    from generate_series($1::bigint, $2::bigint) as n
) c
