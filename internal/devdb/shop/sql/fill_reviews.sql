insert into shop.reviews (id, product_id, customer_id, author, rating, title, body, helpful, written_at)
select r.id, product_id, customer_id, left(c.name, position(' ' in c.name) + 1) || '.', rating,
    shop_load.pick(shop_load.verdicts(rating), r.id, 4),
    shop_load.pick(shop_load.impressions(), r.id, 5) || ' ' || shop_load.pick(shop_load.impressions(), r.id, 6),
    floor(shop_load.chance(r.id, 7) * shop_load.chance(r.id, 8) * 40)::integer,
    timestamptz '2024-01-15 00:00+00' + floor(shop_load.chance(r.id, 9) * 715 * 86400) * interval '1 second'
from (
    -- Each pair of customer and product at most once.
    select row_number() over (order by min(n)) as id, product_id, customer_id,
        (5 - floor(shop_load.chance(min(n), 3) * shop_load.chance(min(n), 10) * 5))::integer as rating
    from (
        select n, shop_load.popular((select products from shop_load.sizes), n, 1) as product_id,
            shop_load.frequent((select customers from shop_load.sizes), n, 2) as customer_id
        from generate_series($1::bigint, $2::bigint) as n
    ) drawn
    group by product_id, customer_id
) r join shop.customers c on c.id = r.customer_id
order by r.id
