-- Roles belong to the whole server: they may be there from an earlier load.
do $$
begin
    if to_regrole('shop_anon') is null then
        create role shop_anon nologin;
    end if;
    if to_regrole('shop_customer') is null then
        create role shop_customer nologin;
    end if;
    if to_regrole('shop_authenticator') is null then
        create role shop_authenticator login noinherit;
    end if;
end
$$;
comment on role shop_anon is 'Visitors of the sample shop: they read the catalogue and the reviews';
comment on role shop_customer is 'Customers of the sample shop: visitors who also see their own orders and place new ones';
comment on role shop_authenticator is 'The API server''s login for the sample shop; it becomes one of the others';
grant shop_anon to shop_customer;
grant shop_anon, shop_customer to shop_authenticator;
