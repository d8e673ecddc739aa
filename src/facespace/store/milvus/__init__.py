"""Galleries in Milvus (extra `milvus`): the connection, collections written in steps, and the template store."""

from facespace.store.milvus.address import MilvusAddress, is_milvus
from facespace.store.milvus.collection import key_of
from facespace.store.milvus.database import MilvusDatabase
from facespace.store.milvus.templates import MilvusTemplates

__all__ = ["MilvusAddress", "MilvusDatabase", "MilvusTemplates", "is_milvus", "key_of"]
