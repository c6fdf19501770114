insert into shop.product_collections (collection_id, product_id, position)
select collection_id, product_id, row_number() over (partition by collection_id order by min(n))
from (
    select n, 1 + floor(shop_load.chance(n, 1) * (select count(*) from shop.collections))::bigint as collection_id,
        shop_load.popular((select products from shop_load.sizes), n, 2) as product_id
    from generate_series($1::bigint, $2::bigint) as n
) m
group by collection_id, product_id
