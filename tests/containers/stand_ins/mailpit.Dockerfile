ARG BASE
FROM ${BASE}
COPY packages /opt/packages
COPY mailpit.py /mailpit
ENV PYTHONPATH=/opt/packages PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["/mailpit"]
