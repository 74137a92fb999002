ARG BASE
FROM ${BASE}
RUN apt-get -qq update && apt-get -qq install --yes --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY haproxy.sh /usr/local/bin/
ENTRYPOINT ["haproxy.sh"]
CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
